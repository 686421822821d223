export default async () => {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const secret = new TextEncoder().encode("a secret of ours");
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, secret);
  console.log(sealed.byteLength);
  const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed);
  console.log(new TextDecoder().decode(opened));

  const tampered = new Uint8Array(sealed);
  tampered[0] ^= 1;
  await crypto.subtle
    .decrypt({ name: "AES-GCM", iv }, key, tampered)
    .catch((error) => console.log(error instanceof DOMException, error?.name));
};
