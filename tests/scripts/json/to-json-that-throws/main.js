export default () => ({
  user: {
    toJSON() {
      throw new RangeError("not today");
    },
  },
});
