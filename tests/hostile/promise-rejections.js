// Attacks: Rejections that nobody handles, without end.
// Ends: memory | time
export default async () => {
  for (;;) Promise.reject(new Error("x"));
};
