// Attacks: Error.prepareStackTrace that never returns.
// Ends: time
export default async () => {
  Error.prepareStackTrace = () => { for (;;); };
  return new Error("x").stack;
};
