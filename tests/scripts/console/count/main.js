export default () => {
  console.count();
  console.count();
  console.count("calls");
  console.countReset();
  console.count();
  console.countReset("unknown");
};
