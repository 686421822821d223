// Attacks: Call sites with other objects for `this`.
// Ends: result 1
export default async () => {
  let site;
  Error.prepareStackTrace = (error, sites) => { site = sites[0]; };
  new Error("x").stack;
  const prototype = Object.getPrototypeOf(site);
  for (const self of [Object.create(site), Object.create(prototype), {}, 1, null, new Proxy(site, {})]) {
    for (const name of Object.getOwnPropertyNames(prototype)) try { prototype[name].call(self); } catch {}
  }
  return 1;
};
