// Attacks: The stack runs out while scripts of the web APIs are loaded, and again at every depth.
// Ends: result ["https://a.example/?a=1",1,202,"DataError: x","a",23,"NotSupportedError",true,"undefined","object"]
const names = ["fetch", "crypto"];
const touch = (name) => {
  try { touch(name); } catch { /* goes on, one level higher */ }
  return globalThis[name];
};
export default async () => {
  for (const name of names) {
    try { touch(name); } catch { /* or higher still */ }
  }
  const zipped = new Response(new Blob(["abc"]).stream().pipeThrough(new CompressionStream("gzip")));
  const refused = await crypto.subtle.digest("none", new Uint8Array()).catch((error) => error);
  return [
    new URL("?a=1", "https://a.example/").href,
    structuredClone({ a: [1] }).a[0],
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("a")))[0],
    String(structuredClone(new DOMException("x", "DataError"))),
    await new Blob(["a"]).text(),
    (await zipped.arrayBuffer()).byteLength,
    refused.name,
    refused instanceof DOMException,
    typeof CryptoKey.fromCloneData,
    typeof new ImageData(1, 1),
  ];
};
