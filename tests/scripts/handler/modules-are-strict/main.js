export default () => {
  undeclared = 1;
};
