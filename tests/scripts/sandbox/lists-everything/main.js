// Everything that can be reached from the global scope by properties, prototypes and accessors' functions, with its kind.
const kind = (value) => value === null ? "null" : typeof value;
const nameOf = (key) => typeof key === "symbol" ? `[${key.description}]` : key;

export default () => {
  const seen = new Map([[globalThis, "globalThis"]]);
  const lines = [];
  const queue = [globalThis];
  const visit = (value, path) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return kind(value);
    if (seen.has(value)) return `= ${seen.get(value)}`;
    seen.set(value, path);
    queue.push(value);
    return kind(value);
  };
  while (queue.length > 0) {
    const object = queue.shift();
    const path = seen.get(object);
    for (const key of Reflect.ownKeys(object)) {
      const here = `${path}.${nameOf(key)}`;
      const { value, get, set, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(object, key);
      const flags = (writable ? "w" : "-") + (enumerable ? "e" : "-") + (configurable ? "c" : "-");
      if (get || set) {
        lines.push(`${here} ${flags} get ${get ? visit(get, `${here}.get`) : "-"} set ${set ? visit(set, `${here}.set`) : "-"}`);
      } else if (!(typeof object === "function" && (key === "length" || key === "name"))) {
        lines.push(`${here} ${flags} ${visit(value, here)}`);
      }
    }
    lines.push(`${path}.__proto__ ${visit(Object.getPrototypeOf(object), `${path}.__proto__`)}`);
  }
  return lines.sort((a, b) => (a < b ? -1 : 1));
};
