// V8 15.0 reads a key with an escape as the one of an object before it. The attributes arrive as they were given.
export default () => {
  const { p, q } = tailor.context.getInvoker().attributeMap;
  return [Object.keys(p), Object.keys(q), q["a\n"], q.Y];
};
