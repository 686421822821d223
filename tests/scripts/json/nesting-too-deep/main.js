// A list of a hundred thousand links is refused, without a path of that length.
export default () => {
  let list = null;
  for (let length = 0; length < 100_000; length++) {
    list = { next: list };
  }
  return list;
};
