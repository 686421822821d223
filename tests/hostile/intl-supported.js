// Attacks: The values that are supported, over and over.
// Ends: time | memory | buffers
export default async () => {
  for (;;) for (const key of ["calendar", "collation", "currency", "numberingSystem", "timeZone", "unit"]) Intl.supportedValuesOf(key);
};
