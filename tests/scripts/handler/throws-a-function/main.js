export default () => {
  throw () => "no error";
};
