// Attacks: Dates that are invalid or patched.
// Ends: result 1
export default async () => {
  Date.prototype.toISOString = () => { throw new Error("no"); };
  class Late extends Date { getTime() { return NaN; } }
  for (const value of [new Date(NaN), new Date(8.64e15), new Late(0), Object.create(Date.prototype)]) try { console.log(value, { value }); } catch {}
  return 1;
};
