// An array of four thousand million gaps is refused, in no time.
export default () => {
  const list = [];
  list.length = 4_294_967_295;
  return { list };
};
