// Attacks: What is thrown has a conversion without end.
// Ends: time | memory | buffers
export default async () => {
  throw { toJSON() { for (;;); } };
};
