// Attacks: Base64 of base64.
// Ends: buffers | memory
export default async () => {
  let text = "x".repeat(1000);
  for (;;) text = btoa(text);
};
