// Attacks: A stack trace without limit.
// Ends: result true | time
export default async () => {
  Error.stackTraceLimit = Infinity;
  const f = () => { f(); };
  try { f(); } catch (error) { return error.stack.length > 1000; }
};
