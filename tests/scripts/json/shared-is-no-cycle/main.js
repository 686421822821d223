// The same object in several places is written out in each.
export default () => {
  const shared = { n: 1 };
  return { one: shared, two: [shared, shared], three: { shared } };
};
