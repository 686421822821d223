// Attacks: Classes without end.
// Ends: time | memory | buffers
export default async () => {
  const all = [];
  for (;;) all.push(class { #a = 1; #b = 2; static c = new this(); get d() { return this.#a + this.#b; } });
};
