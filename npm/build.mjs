// Builds the package: dist/ from src/, the types from js/tailor.d.ts, and native/ from the addon that cargo built.
//
//   node build.mjs [debug|release]    the profile that cargo built the addon with

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

process.chdir(import.meta.dirname);

// `dlopen` of a file that is loaded and overwritten would crash: replaced, not overwritten.
const replace = (from, to) => {
  rmSync(to, { force: true });
  copyFileSync(from, to);
};

const extensions = { darwin: "dylib", win32: "dll" };
const prefix = process.platform === "win32" ? "" : "lib";
const library = `${prefix}tailor_idp_node.${extensions[process.platform] ?? "so"}`;
const [profile = "debug"] = process.argv.slice(2);
const addon = join(process.env.CARGO_TARGET_DIR ?? "../target", profile, library);
if (!existsSync(addon)) {
  const flag = profile === "release" ? " --release" : "";
  console.error(`there is no ${addon}: build it with cargo build${flag} -p tailor-idp-node`);
  process.exit(1);
}
const { glibcVersionRuntime } = process.report.getReport().header;
const libc = process.platform !== "linux" ? "" : glibcVersionRuntime ? "-gnu" : "-musl";
mkdirSync("native", { recursive: true });
replace(addon, `native/${process.platform}-${process.arch}${libc}.node`);

copyFileSync("../LICENSE", "LICENSE");

// One source of the platform's types: the globals as they are, and as a module, so that importing the package declares no globals.
const types = readFileSync("../js/tailor.d.ts", "utf8");
writeFileSync("types.d.ts", types);
const asModule = types.replaceAll(/^declare namespace tailor\.(\w+)/gm, "export declare namespace $1");
writeFileSync("src/tailor.d.ts", asModule);

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
writeFileSync("dist/tailor.d.ts", asModule);
await build({
  entryPoints: ["src/index.ts", "src/vitest.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});
