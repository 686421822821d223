// No module but the script's own.
export default async () => {
  const told = {};
  for (const name of ["ext:core/mod.js", "ext:core/ops", "ext:tailor_function/bootstrap.js", "ext:deno_web/01_console.js", "node:fs", "npm:left-pad",
    "https://example.com/a.js", "file:///etc/passwd", "./other.js"]) {
    told[name] = await import(name).then(() => "imported", String);
    told[`${name} as JSON`] = await import(name, { with: { type: "json" } }).then(() => "imported", (error) => error.name);
  }
  told.meta = Object.keys(import.meta);
  told.metaPrototype = String(Object.getPrototypeOf(import.meta));
  return told;
};
