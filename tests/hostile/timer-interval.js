// Attacks: An interval of nothing.
// Ends: time
export default async () => {
  setInterval(() => {}, 0);
  await new Promise(() => {});
};
