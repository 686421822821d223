export default () => ({
  then() {
    throw new RangeError("then failed");
  },
});
