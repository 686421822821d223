// Attacks: Patterns, each compiled.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (let index = 0; ; index++) all.push(new URLPattern({ pathname: `/${index}/:a/:b(.*)/{c}?` }));
};
