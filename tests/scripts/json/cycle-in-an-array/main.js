export default () => {
  const list = [1];
  list.push([list]);
  return list;
};
