// What can be returned can be handed in: 500 levels.
export default (args) => {
  let depth = 0;
  for (let value = args; Array.isArray(value); value = value[0]) {
    depth++;
  }
  return depth;
};
