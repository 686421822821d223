globalThis.main = () => "globalThis.main";

export function main() {
  return "the export main";
}

export default () => "the default export";
