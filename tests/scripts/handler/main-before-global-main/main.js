globalThis.main = () => "globalThis.main";

export function main() {
  return "the export main";
}
