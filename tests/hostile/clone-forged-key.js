// Attacks: Keys that a script has made up.
// Ends: result "ok"
export default async () => {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  const brands = [key, Object.getPrototypeOf(key), Blob.prototype].flatMap((holder) => Object.getOwnPropertySymbols(holder));
  const clones = [
    {},
    { keyType: "secret", algorithm: 1, usages: 1, keyData: 1 },
    { keyType: "private", algorithm: { name: "RSA-PSS", modulusLength: 2 ** 31 }, usages: new Array(1e5), keyData: new Uint8Array() },
    { keyType: "private", algorithm: { name: "ML-DSA-1" }, usages: [""], keyData: { type: "private", data: new Uint8Array(3) } },
  ];
  for (const brand of brands) {
    for (const clone of clones) {
      try {
        const forged = structuredClone({ [brand]: () => ({ type: "CryptoKey", ...clone }) });
        await crypto.subtle.exportKey("pkcs8", forged);
      } catch {}
    }
  }
  return "ok";
};
