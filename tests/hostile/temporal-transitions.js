// Attacks: The next transition of a time zone, over and over.
// Ends: time | memory | buffers
export default async () => {
  if (globalThis.Temporal === undefined) for (;;);
  for (;;) Temporal.ZonedDateTime.from("+275000-01-01T00:00[Africa/Casablanca]").getTimeZoneTransition?.("previous");
};
