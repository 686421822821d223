// Deep enough for any data.
export default () => {
  let value = "the inside";
  for (let depth = 0; depth < 20; depth++) {
    value = depth % 2 ? [value] : { value };
  }
  return value;
};
