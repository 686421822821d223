// Attacks: The material of a key that is not extractable, by setters on Object.prototype and by the key's own properties.
// Ends: result []
const names = ["type", "keyType", "keyData", "data", "cppgc", "usages", "extractable", "algorithm", "privateKey", "seed", "id"];
const material = new Array(16).fill(7).join();

const isSecret = (value, depth = 0) => {
  if (value instanceof Uint8Array) return value.join() === material;
  if (typeof value !== "object" || value === null || depth > 3) return false;
  return Reflect.ownKeys(value).some((key) => isSecret(Object.getOwnPropertyDescriptor(value, key).value, depth + 1));
};

export default async () => {
  const found = [];
  const seen = [];
  const { prototype } = Object;
  for (const name of names) {
    const accessor = { __proto__: null, configurable: true, get: () => undefined, set(value) { seen.push([name, this, value]); } };
    for (const define of [
      () => Object.defineProperty(prototype, name, accessor),
      () => Object.defineProperty(new Proxy(new Proxy(prototype, {}), {}), { toString: () => name }, accessor),
      () => Object.defineProperties(prototype, { [name]: accessor }),
      () => Reflect.defineProperty(prototype, name, { get set() { return accessor.set; }, configurable: true }),
      () => prototype.__defineSetter__(name, accessor.set),
      () => Reflect.apply(prototype.__defineGetter__, prototype, [name, () => {}]),
    ]) {
      try { define(); } catch {}
    }
  }
  let isCalled = false;
  Object.defineProperty(Promise.prototype, "constructor", { configurable: true, get() {
    if (isCalled) return Promise;
    isCalled = true;
    Promise.prototype.then.call(this, (key) => { if (key instanceof CryptoKey) seen.push(["promise", key]); }, () => {});
    isCalled = false;
    return Promise;
  } });
  const key = await crypto.subtle.importKey("raw", new Uint8Array(16).fill(7), { name: "AES-GCM" }, false, ["encrypt"]);
  const wrapped = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  for (const cloneable of [key, wrapped, structuredClone(key), structuredClone([wrapped])[0]]) {
    for (const property of Reflect.ownKeys(cloneable)) {
      const value = cloneable[property];
      if (isSecret(value)) found.push(String(property));
      try { if (isSecret(value.call(cloneable))) found.push(`${String(property)}()`); } catch {}
    }
  }
  for (const [name, ...values] of seen) if (values.some((value) => isSecret(value))) found.push(`setter ${name}`);
  for (const name of names) delete prototype[name];
  return found;
};
