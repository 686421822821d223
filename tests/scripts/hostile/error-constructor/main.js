// Errors are made by the host's own Error, whatever the script has put in its place.
const NativeError = Error;
const fail = function () {
  throw "patched Error";
};
NativeError.captureStackTrace = fail;
NativeError.prototype.toString = fail;
Object.defineProperty(NativeError.prototype, "name", { get: fail, set: fail });
Object.defineProperty(NativeError.prototype, "message", { get: fail, set: fail });
Object.defineProperty(NativeError.prototype, "constructor", { get: fail, set: fail });
globalThis.Error = globalThis.TypeError = fail;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const found = [];
  for (const userId of ["ghost", 42]) {
    try {
      await idp.user(userId);
    } catch (error) {
      found.push(error instanceof NativeError, error.code, error.message);
    }
  }
  try {
    new tailor.idp.Client("No Form");
  } catch (error) {
    found.push(error instanceof NativeError, error.message.split(":")[0]);
  }
  return found;
};
