// Attacks: The same, as the host reads the error.
// Ends: time
export default async () => {
  Error.prepareStackTrace = () => { for (;;); };
  throw new Error("x");
};
