// The global is gone, and `constructor` names another class: `await` then makes a promise of its own.
const NativePromise = Promise;
NativePromise.prototype.constructor = class NoPromise {};
globalThis.Promise = undefined;

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: "ana@example.com" });
  const promise = idp.user("ghost");
  try {
    await promise;
  } catch (error) {
    return { name, native: promise instanceof NativePromise, code: error.code };
  }
};
