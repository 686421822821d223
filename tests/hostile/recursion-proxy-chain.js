// Attacks: A proxy of a proxy of a proxy.
// Ends: time | error RangeError
export default async () => {
  let p = {};
  for (let i = 0; i < 1e5; i++) p = new Proxy(p, {});
  return p.x;
};
