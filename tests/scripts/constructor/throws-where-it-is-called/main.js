// Uncaught: the stack starts at the line with `new`.
const connect = (namespace) => {
  return new tailor.idp.Client({ namespace });
};

export default () => connect("No Such Form");
