// An argument nests at most 500 levels deep.
export default (args) => {
  let depth = 0;
  for (let value = args; Array.isArray(value); value = value[0]) {
    depth++;
  }
  return depth;
};
