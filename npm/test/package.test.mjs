// The package as users get it: packed, and installed into an empty folder.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { build as esbuild } from "esbuild";
import { build as rolldown } from "rolldown";

const root = resolve(import.meta.dirname, "../..");
const compiler = join(root, "npm/node_modules/typescript/bin/tsc");
let folder;

const npm = (...args) =>
  execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tailor-idp-package-"));
  const [{ filename }] = JSON.parse(npm("pack", "--json", "--pack-destination", folder, join(root, "npm")));
  cpSync(join(root, "examples/vitest"), folder, { recursive: true, filter: (path) => !path.includes("node_modules") });
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  manifest.devDependencies["tailor-idp"] = `file:${filename}`;
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  npm("install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts");
});

after(() => rmSync(folder, { recursive: true }));

const vitest = (...args) => {
  const program = join(folder, "node_modules/vitest/vitest.mjs");
  const env = { ...process.env, NO_COLOR: "1", CI: "1", FORCE_COLOR: undefined };
  // The test runner of Node.js would have the messages of its children.
  delete env.NODE_TEST_CONTEXT;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "run", ...args], {
    cwd: folder,
    encoding: "utf8",
    env,
  });
  return { status, output: stdout + stderr };
};

for (const flags of [[], ["--no-isolate"], ["--pool=threads"], ["--pool=vmThreads"]]) {
  test(`the example's suite passes ${flags.join(" ")}`, () => {
    const { status, output } = vitest(...flags);
    assert.equal(status, 0, output);
    assert.match(output, /Test Files +3 passed \(3\)/);
    assert.doesNotMatch(output, /warn/i);
  });
}

test("a wrong expectation fails with what was called", () => {
  const file = join(folder, "test/wrong.test.ts");
  const script = `
    import { expect, test } from "vitest";
    import { idp } from "tailor-idp/vitest";
    import signUp from "../src/sign-up.ts";
    test("wrong", async () => {
      await signUp({ email: "ana@example.com", password: "correct horse" });
      expect(idp.createUser).toHaveBeenCalledWith({ name: "ben@example.com", password: "correct horse" });
    });
    test("uncaught", () => signUp({ email: "ana", password: "correct horse" }));
  `;
  writeFileSync(file, script);
  const { status, output } = vitest(file);
  rmSync(file);
  assert.equal(status, 1);
  assert.match(output, /expected "createUser" to be called with arguments/);
  assert.match(output, /- +"name": "ben@example\.com",\n\+ +"name": "ana@example\.com"/);
  // The place of the call in the handler.
  assert.match(
    output,
    /createUser failed: code: 'Client specified an invalid argument', message: "name must be an e-mail address/,
  );
  assert.match(output, /src\/sign-up\.ts:\d+:\d+/);
});

test("the controls of the SDK's mock work over the identity provider", () => {
  const file = join(folder, "test/mock-idp.test.ts");
  cpSync(join(root, "npm/test/mock-idp.ts"), file);
  const { status, output } = vitest(file);
  assert.equal(status, 0, output);
});

test("bundled handlers run as their sources do", async () => {
  const input = join(folder, "src/sign-up.ts");
  await esbuild({
    entryPoints: [input],
    outfile: join(folder, "bundled/esbuild.js"),
    bundle: true,
    format: "esm",
    minify: true,
  });
  await rolldown({ input, output: { file: join(folder, "bundled/rolldown.js"), minify: true } });
  const file = join(folder, "test/bundled.test.ts");
  writeFileSync(
    file,
    `import { expect, test } from "vitest";
     import { idp } from "tailor-idp/vitest";
     test.each(["esbuild", "rolldown"])("%s", async (bundler) => {
       const { default: signUp } = await import(\`../bundled/\${bundler}.js\`);
       const { id } = await signUp({ email: "ana@example.com", password: "correct horse" });
       expect(idp.createUser).toHaveBeenCalledOnce();
       expect((await idp.signIn("builtin-idp", "ana@example.com", "correct horse"))?.user.id).toBe(id);
     });
    `,
  );
  const { status, output } = vitest(file);
  rmSync(file);
  assert.equal(status, 0, output);
});

test("the types are those of the platform, and the example has no type errors", () => {
  assert.equal(
    readFileSync(join(folder, "node_modules/tailor-idp/types.d.ts"), "utf8"),
    readFileSync(join(root, "js/tailor.d.ts"), "utf8"),
  );
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", "."], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("the package's types need no globals", () => {
  const file = join(folder, "src/types.ts");
  writeFileSync(
    file,
    `import { createIdp, type User } from "tailor-idp";
     const idp = await createIdp({ config: { namespace: { main: { permission: "allow-all" } } } });
     export const user: User = await new idp.Client("main").user("u1");
     // @ts-expect-error: not a keyword of permissions
     await createIdp({ config: { namespace: { main: { permission: "allow" } } } });
     // @ts-expect-error: not a code
     const code: import("tailor-idp").ErrorCode = "MISSING";
     // @ts-expect-error: the package declares no globals
     tailor.context.getInvoker();
    `,
  );
  const config = {
    extends: "./tsconfig.json",
    compilerOptions: { types: [], skipLibCheck: false, lib: ["es2023", "esnext.disposable", "dom"] },
    files: ["src/types.ts"],
    include: [],
  };
  writeFileSync(join(folder, "types.json"), JSON.stringify(config));
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", "types.json"], {
    cwd: folder,
    encoding: "utf8",
  });
  rmSync(file);
  assert.equal(status, 0, stdout);
});
