// Attacks: A nested blob, read.
// Ends: buffers | memory | time
export default async () => {
  let b = new Blob(["x".repeat(1e6)]);
  for (let i = 0; i < 12; i++) b = new Blob([b, b]);
  return (await b.arrayBuffer()).byteLength;
};
