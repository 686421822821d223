// Forty levels that share their halves are 2^40 elements when written out: refused, in no time.
export default () => {
  let value = "leaf";
  for (let level = 0; level < 40; level++) {
    value = [value, value];
  }
  return value;
};
