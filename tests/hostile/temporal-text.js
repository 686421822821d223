// Attacks: A date of a megabyte.
// Ends: result null | result "RangeError" | time
export default async () => {
  if (globalThis.Temporal === undefined) return "RangeError";
  try { Temporal.PlainDate.from(`2020-01-01${"[u-ca=iso8601]".repeat(2 ** 17)}`); } catch (error) { return error.name; }
};
