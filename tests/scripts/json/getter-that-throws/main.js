export default async () => ({
  get name() {
    throw new RangeError("no name");
  },
});
