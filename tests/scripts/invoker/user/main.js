export default () => {
  const invoker = tailor.context.getInvoker();
  // A copy each time: what a script does to one is its own affair.
  invoker.id = "somebody else";
  invoker.attributeMap.role = "OWNER";
  return tailor.context.getInvoker();
};
