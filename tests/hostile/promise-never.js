// Attacks: A promise that never settles.
// Ends: time
export default async () => {
  await new Promise(() => { setInterval(() => {}, 10); });
};
