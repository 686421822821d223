export default async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const message = new TextEncoder().encode("signed");
  const parameters = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(parameters, privateKey, message);
  const jwk = await crypto.subtle.exportKey("jwk", publicKey);
  const imported = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
  console.log(signature.byteLength, jwk.kty, jwk.crv);
  console.log(await crypto.subtle.verify(parameters, imported, signature, message));
  console.log(await crypto.subtle.verify(parameters, imported, signature, new Uint8Array(1)));
};
