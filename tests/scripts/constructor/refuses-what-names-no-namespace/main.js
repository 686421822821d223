// A wrong configuration is a TypeError at once, before any call.
const configs = [
  [],
  [undefined],
  [null],
  [42],
  [true],
  [Symbol("builtin-idp")],
  [{}],
  [{ namespace: undefined }],
  [{ namespace: null }],
  [{ namespace: 42 }],
  [{ namespace: ["builtin-idp"] }],
  [{ namespace: { name: "builtin-idp" } }],
  [{ namespace: new String("builtin-idp") }],
  [{ Namespace: "builtin-idp" }],
];

export default () => {
  for (const config of configs) {
    try {
      new tailor.idp.Client(...config);
      console.log("accepted", ...config);
    } catch (error) {
      console.log(`${error.constructor === TypeError}: ${error.message}`);
    }
  }
};
