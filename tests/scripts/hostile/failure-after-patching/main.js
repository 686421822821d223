// The host tells of an error with what the error itself has, even where the script has broken errors.
globalThis.Error = undefined;
Object.prototype.toString = () => {
  throw 1;
};

export default async () => {
  null.property;
};
