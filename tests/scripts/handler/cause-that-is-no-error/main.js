export default () => {
  throw new Error("cannot greet", { cause: { code: 42, reason: "no error object" } });
};
