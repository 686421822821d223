// Attacks: An array that shrinks while it is printed.
// Ends: result 1
export default async () => {
  const list = [{ get [Symbol.toStringTag]() { list.length = 0; map.clear(); set.clear(); return "x"; } }, 1, 2, 3];
  const map = new Map([[{ get [Symbol.toStringTag]() { map.clear(); return "x"; } }, 1], [2, 2]]);
  const set = new Set([{ get [Symbol.toStringTag]() { set.clear(); return "x"; } }, 1, 2]);
  for (const value of [list, map, set, [map.entries(), set.values()]]) try { console.log(value); console.table(value); } catch {}
  return 1;
};
