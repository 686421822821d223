const hex = (buffer) => new Uint8Array(buffer).toHex();

export default async () => {
  const bytes = new TextEncoder().encode("abc");
  for (const algorithm of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
    console.log(algorithm, hex(await crypto.subtle.digest(algorithm, bytes)));
  }
  await crypto.subtle.digest("MD5", bytes).catch((error) => console.log(error.name, error instanceof DOMException));
};
