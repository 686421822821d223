const inner = () => console.trace("here", { a: 1 });

export default () => {
  inner();
  console.trace();
};
