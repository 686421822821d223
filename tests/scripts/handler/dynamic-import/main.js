// Refused as well, and can be caught.
export default async () => {
  for (const specifier of ["node:fs", "./other.js", "fs", "https://example.com/x.js", "data:text/javascript,export default 1"]) {
    await import(specifier).catch((error) => console.log(`${error.name}: ${error.message}`));
  }
  await import("node:child_process");
};
