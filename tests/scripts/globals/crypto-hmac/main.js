const bytes = (text) => new TextEncoder().encode(text);

export default async () => {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes("key"), algorithm, false, ["sign", "verify"]);
  const message = bytes("The quick brown fox jumps over the lazy dog");
  const signature = await crypto.subtle.sign("HMAC", key, message);
  console.log(new Uint8Array(signature).toHex());
  console.log(await crypto.subtle.verify("HMAC", key, signature, message));
  console.log(await crypto.subtle.verify("HMAC", key, signature, bytes("another message")));
  console.log(key instanceof CryptoKey, key.extractable, key.usages);
  await crypto.subtle.exportKey("raw", key).catch((error) => console.log(error.name));
};
