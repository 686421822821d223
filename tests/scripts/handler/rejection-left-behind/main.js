// Nobody awaits the call, and it has failed by the time the handler is done.
export default () => {
  const idp = new tailor.idp.Client("builtin-idp");
  idp.createUser({ name: "no e-mail address" });
  return "done";
};
