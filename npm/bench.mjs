// Measures the package with the addon in native/: node build.mjs release && node bench.mjs
//
// Prints a line for each result, with its target.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIdp } from "tailor-idp";

const NAMESPACE = "builtin-idp";
const TESTS = 200;
const ROUNDS = 5;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Milliseconds of each repetition: for work that takes long enough to be timed alone. */
async function each(times, work) {
  const taken = [];
  for (let time = 0; time < times; time += 1) {
    const start = performance.now();
    await work(time);
    taken.push(performance.now() - start);
  }
  return median(taken);
}

/** Milliseconds that a repetition takes: the median of the rounds. */
async function measure(times, work) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    for (let time = 0; time < times; time += 1) await work(time);
    rounds.push((performance.now() - start) / times);
  }
  return median(rounds);
}

const report = (what, value, unit, target) =>
  console.log(`${what.padEnd(44)} ${value.toFixed(2).padStart(9)} ${unit} (target: ${target})`);

const idp = await createIdp();
const client = new idp.Client(NAMESPACE);
const [{ id }] = await idp.seed(NAMESPACE, [{ name: "ana@example.com", password: "correct horse" }]);
report("client.user over memory", 1000 * (await measure(20_000, () => client.user(id))), "µs", "at most 25");
const update = async (n) => client.updateUser({ id, disabled: n % 2 === 0 });
report("client.updateUser over memory", 1000 * (await measure(2_000, update)), "µs", "none");
report(
  "a fresh store (reset, and its first read)",
  await each(1_000, () => (idp.reset(), client.users())),
  "ms",
  "at most 1",
);
report("createIdp", await each(50, () => createIdp()), "ms", "none");

/** A file of tests of one handler, over the identity provider or over canned values. */
function suite(isReal) {
  const handler = `
    const signUp = async (name) => {
      const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
      const user = await idp.createUser({ name, password: "correct horse" });
      return idp.user(user.id);
    };
  `;
  const mocks = isReal
    ? `import { idp } from "tailor-idp/vitest";`
    : `
      const idp = { createUser: vi.fn(), user: vi.fn() };
      globalThis.tailor = { idp: { Client: class { createUser(input) { return idp.createUser(input); } user(id) { return idp.user(id); } } } };
      beforeEach(() => {
        const user = { id: "u1", name: "ana@example.com", disabled: false, mfaEnrolled: false, mfaFactorIds: [] };
        idp.createUser.mockReset().mockResolvedValue(user);
        idp.user.mockReset().mockResolvedValue(user);
      });
    `;
  return `
    import { beforeEach, expect, test, vi } from "vitest";
    ${mocks}
    ${handler}
    for (let n = 0; n < ${TESTS}; n += 1) {
      test("sign-up " + n, async () => {
        expect(await signUp("ana@example.com")).toMatchObject({ name: "ana@example.com", disabled: false });
        expect(idp.createUser).toHaveBeenCalledWith({ name: "ana@example.com", password: "correct horse" });
      });
    }
  `;
}

const folder = mkdtempSync(join(tmpdir(), "tailor-idp-bench-"));
try {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(import.meta.dirname, "node_modules/vitest"), join(folder, "node_modules/vitest"));
  symlinkSync(import.meta.dirname, join(folder, "node_modules/tailor-idp"));
  const times = {};
  for (const kind of ["real", "mocks"]) {
    const setupFiles = kind === "real" ? ["tailor-idp/vitest"] : [];
    writeFileSync(
      join(folder, `${kind}.config.mjs`),
      `export default { test: { setupFiles: ${JSON.stringify(setupFiles)}, include: ["${kind}.test.mjs"] } };`,
    );
    writeFileSync(join(folder, `${kind}.test.mjs`), suite(kind === "real"));
    times[kind] = [];
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of ["real", "mocks"]) {
      const start = performance.now();
      const program = join(folder, "node_modules/vitest/vitest.mjs");
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [program, "run", "--config", `${kind}.config.mjs`],
        { cwd: folder, encoding: "utf8" },
      );
      if (status !== 0) throw new Error(stdout + stderr);
      times[kind].push(performance.now() - start);
    }
  }
  report(`vitest, ${TESTS} tests with plain mocks`, median(times.mocks), "ms", "none");
  report(`vitest, ${TESTS} tests with tailor-idp`, median(times.real), "ms", "none");
  report("the ratio of the two", median(times.real) / median(times.mocks), "  ", "at most 1.5");
} finally {
  rmSync(folder, { recursive: true });
}
