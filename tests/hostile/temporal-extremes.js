// Attacks: Dates at the edges of their range.
// Ends: time | memory | buffers
// Process-only: the months of the Chinese calendar are counted one by one, for minutes.
export default async () => {
  if (globalThis.Temporal === undefined) return 1;
  const results = [];
  for (const make of [
    () => new Temporal.PlainDate(275760, 9, 13).add({ years: 2 ** 31 }),
    () => Temporal.Instant.fromEpochMilliseconds(8.64e15).add({ nanoseconds: 2 ** 53 }),
    () => new Temporal.Duration(2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1).round({ largestUnit: "nanoseconds", relativeTo: "2020-01-01" }),
    () => Temporal.PlainDate.from("-271821-04-19[u-ca=chinese]").until("+275760-09-13[u-ca=chinese]", { largestUnit: "months" }),
    () => new Temporal.Duration(0, 0, 0, 0, 0, 0, 0, 0, 0, 2 ** 53).total({ unit: "years", relativeTo: "2020-01-01[Asia/Tokyo]" }),
    () => Temporal.ZonedDateTime.from("2020-01-01T00:00[Europe/Berlin]").add({ months: -1e9 }),
  ]) try { results.push(String(make())); } catch (error) { results.push(error.name); }
  return results.length > 0;
};
