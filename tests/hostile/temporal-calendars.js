// Attacks: Dates of all calendars, over and over.
// Ends: time | memory | buffers
export default async () => {
  if (globalThis.Temporal === undefined) for (;;);
  for (;;) for (const calendar of Intl.supportedValuesOf("calendar")) try { Temporal.PlainDate.from("2020-01-01").withCalendar(calendar).until("9999-12-31", { largestUnit: "days" }).toString(); } catch {}
};
