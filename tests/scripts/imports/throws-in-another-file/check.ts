type Named = { name: string };

export function check(named: Named): void {
  if (!named.name) throw new RangeError("a name is empty");
}
