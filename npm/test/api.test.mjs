// What `createIdp` returns, in Node.js alone.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { createIdp } from "tailor-idp";

const NAMESPACE = "builtin-idp";
const ADMIN = { id: "root", type: "user", attributeMap: { role: "ADMIN" } };
const ana = { name: "ana@example.com", password: "correct horse" };

/** Settings in which administrators read, and everybody creates. */
const forAdmins = {
  namespace: {
    [NAMESPACE]: {
      publishUserEvents: true,
      workspaceId: "w1",
      permission: {
        create: [{ conditions: [] }],
        read: [{ conditions: [[{ user: "role" }, "=", "ADMIN"]] }],
      },
    },
  },
};

/** A folder that is gone after the test. */
function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "tailor-idp-node-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Runs a script in a process of its own, with the package. */
const node = (script, options) =>
  promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    ...options,
  });

for (const passwordHash of ["fast", "standard"]) {
  test(`errors have the code and the stack of the caller, with ${passwordHash} hashes`, async () => {
    const idp = await createIdp({ passwordHash });
    const client = new idp.Client({ namespace: NAMESPACE });
    for (const handler of [
      async function readsAtOnce() {
        await client.user("ghost");
      },
      async function waits() {
        await client.deleteUser("ghost");
      },
    ]) {
      const error = await handler().catch((error) => error);
      assert.equal(error.code, "NOT_FOUND");
      assert.match(
        error.message,
        /^(user|deleteUser) failed: code: 'Some requested entity was not found', message: "user not found: ghost"$/,
      );
      const [header, first] = error.stack.split("\n");
      assert.equal(header, `Error: ${error.message}`);
      assert.match(first, new RegExp(`at ${handler.name} .*api\\.test\\.mjs:\\d+:\\d+`));
    }
  });
}

test("identity providers of one process share no users", async () => {
  const [one, other] = await Promise.all([createIdp(), createIdp()]);
  await one.seed(NAMESPACE, [ana]);
  assert.equal((await new one.Client(NAMESPACE).users()).totalCount, 1);
  assert.equal((await new other.Client(NAMESPACE).users()).totalCount, 0);
});

test("a reset ends users, mails, the invoker and the time", async () => {
  const idp = await createIdp();
  const client = new idp.Client(NAMESPACE);
  const [{ id }] = await idp.seed(NAMESPACE, [ana]);
  await client.sendPasswordResetEmail({ userId: id, redirectUri: "https://example.com" });
  idp.invoker = ADMIN;
  idp.advance("1d");
  idp.reset();
  assert.equal((await client.users()).totalCount, 0);
  assert.deepEqual(await idp.mails(NAMESPACE), []);
  assert.equal(idp.invoker, null);
  assert.ok(Math.abs(idp.now - Date.now()) < 60_000);
});

test("calls of before a reset change nothing after it", async () => {
  const idp = await createIdp();
  const client = new idp.Client(NAMESPACE);
  const late = client.createUser(ana);
  idp.reset();
  await late;
  assert.equal((await client.users()).totalCount, 0);
});

test("snapshots are restored any number of times", async () => {
  const idp = await createIdp();
  const client = new idp.Client(NAMESPACE);
  const [{ id }] = await idp.seed(NAMESPACE, [ana, { name: "ben@example.com" }]);
  const page = await client.users({ first: 1 });
  const snapshot = idp.snapshot();
  for (let round = 0; round < 3; round += 1) {
    await client.deleteUser(id);
    assert.equal((await client.users()).totalCount, 1);
    idp.restore(snapshot);
    assert.equal((await client.user(id)).name, ana.name);
  }
  // Page tokens are sealed by a key that is restored, too.
  assert.equal((await client.users({ first: 1, after: page.nextPageToken })).users[0].name, "ben@example.com");
  assert.throws(() => idp.restore({}), /restore takes what snapshot\(\) returned/);
});

test("calls are made on behalf of the invoker of their own flow", async () => {
  const idp = await createIdp({ config: forAdmins });
  const client = new idp.Client(NAMESPACE);
  const [{ id }] = await idp.seed(NAMESPACE, [ana]);
  const read = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const { name } = await client.user(id);
    return `${idp.tailor.context.getInvoker().id} read ${name}`;
  };
  const [admin, nobody] = await Promise.allSettled([idp.withInvoker(ADMIN, read), idp.withInvoker(null, read)]);
  assert.equal(admin.value, "root read ana@example.com");
  assert.equal(nobody.reason.code, "PERMISSION_DENIED");
  assert.equal(idp.tailor.context.getInvoker(), null);
  idp.invoker = ADMIN;
  assert.deepEqual(idp.tailor.context.getInvoker(), {
    id: "root",
    type: "user",
    workspaceId: "",
    attributes: [],
    attributeMap: { role: "ADMIN" },
  });
  assert.throws(
    () => (idp.invoker = { id: "u1", type: "person" }),
    /the invoker is not valid: unknown variant `person`/,
  );
});

test("events are those of committed changes", async () => {
  const idp = await createIdp({ config: forAdmins });
  const client = new idp.Client(NAMESPACE);
  const { id } = await client.createUser(ana);
  await assert.rejects(client.createUser(ana), { code: "ALREADY_EXISTS" });
  const [event, ...others] = await idp.events(NAMESPACE);
  assert.deepEqual(others, []);
  assert.deepEqual(
    { ...event, id: "", time: "" },
    { id: "", time: "", type: "idp.user.created", workspaceId: "w1", namespaceName: NAMESPACE, userId: id },
  );
});

test("reset mails end with the time, and after their use", async () => {
  const idp = await createIdp({
    config: {
      ...forAdmins,
      reset_page: { base_url: "https://id.example.com/app" },
      namespace: { [NAMESPACE]: { permission: "allow-all", emailConfig: { fromName: "Example" } } },
    },
  });
  const client = new idp.Client(NAMESPACE);
  const [{ id }] = await idp.seed(NAMESPACE, [ana]);
  const mail = async () => {
    idp.advance("30m");
    await client.sendPasswordResetEmail({ userId: id, redirectUri: "https://example.com/next" });
    return (await idp.mails(NAMESPACE)).at(-1);
  };
  const first = await mail();
  assert.equal(first.fromName, "Example");
  assert.equal(first.link, `https://id.example.com/app/reset-password/${NAMESPACE}?token=${first.token}`);
  assert.equal(await idp.resetPassword(NAMESPACE, first.token, "another horse"), "https://example.com/next");
  await assert.rejects(idp.resetPassword(NAMESPACE, first.token, "another horse"), { code: "INVALID_ARGUMENT" });
  assert.equal(await idp.signIn(NAMESPACE, ana.name, ana.password), null);
  assert.equal((await idp.signIn(NAMESPACE, ana.name, "another horse")).user.id, id);
  const second = await mail();
  idp.advance(61 * 60_000);
  await assert.rejects(idp.resetPassword(NAMESPACE, second.token, "a third horse"), /the reset link is not valid/);
  assert.throws(() => idp.advance("soon"), /a time such as "2h"/);
});

test("factors of users in memory are enrolled and removed", async () => {
  const userAuthPolicy = { enableMfa: true, allowedReturnOrigins: ["https://example.com"] };
  const idp = await createIdp({ config: { namespace: { [NAMESPACE]: { permission: "allow-all", userAuthPolicy } } } });
  const client = new idp.Client(NAMESPACE);
  const [{ id }] = await idp.seed(NAMESPACE, [ana]);
  const { mfaFactorId } = await idp.enrollMfa(NAMESPACE, id);
  assert.deepEqual((await client.user(id)).mfaFactorIds, [mfaFactorId]);
  assert.equal((await idp.signIn(NAMESPACE, ana.name, ana.password)).mfa, "code-due");
  await client.unenrollMfa({ userId: id, mfaFactorId });
  assert.equal((await client.user(id)).mfaEnrolled, false);
});

test("users are where the settings say if asked so, and in memory otherwise", async (t) => {
  const path = folder(t);
  const config = join(path, "tailor-idp.toml");
  writeFileSync(config, `[namespace.${NAMESPACE}]\nstore = { sqlite = "users.db" }\npermission = "allow-all"\n`);
  const stored = await createIdp({ config, store: "settings", passwordHash: "fast" });
  await new stored.Client(NAMESPACE).createUser(ana);
  const again = await createIdp({ config: pathToFileURL(config), store: "settings" });
  assert.equal((await new again.Client(NAMESPACE).users()).totalCount, 1);
  assert.throws(() => again.reset(), /whose users are all in memory/);
  const inMemory = await createIdp({ config });
  assert.equal((await new inMemory.Client(NAMESPACE).users()).totalCount, 0);
});

test("all faults of settings are told, with their keys", async (t) => {
  const config = join(folder(t), "tailor-idp.toml");
  writeFileSync(config, `[namespace.${NAMESPACE}]\nlang = "fr"\n`);
  await assert.rejects(createIdp({ config }), (error) => {
    assert.equal(
      error.message.replaceAll(config, "F").split("\n")[1],
      `F:2: namespace.${NAMESPACE}.lang: must be "en" or "ja": got "fr"`,
    );
    return true;
  });
  await assert.rejects(
    createIdp({
      config: { namespace: { [NAMESPACE]: { permision: "allow-all", lang: 1 } }, function: { timeout: "1y" } },
    }),
    {
      message:
        `settings.namespace.${NAMESPACE}.permision: unknown key: did you mean permission?\n` +
        `settings.namespace.${NAMESPACE}.lang: must be a string: got an integer\n` +
        'settings.function.timeout: must be a time such as "60s": got "1y"',
    },
  );
  await assert.rejects(createIdp({ confg: "x" }), /createIdp has no option "confg"/);
  await assert.rejects(createIdp({ config: "nowhere.toml" }), /nowhere\.toml: cannot be read/);
});

test("worker threads have identity providers of their own, and end while calls are pending", async () => {
  const run = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.mjs", import.meta.url));
      let count;
      worker.once("message", (message) => (count = message));
      worker.once("error", reject);
      worker.once("exit", () => resolve(count));
    });
  assert.deepEqual(await Promise.all(Array.from({ length: 4 }, run)), Array(4).fill(1));
});

test("the process exits by itself, and with calls pending when told to", async () => {
  const open = `
    import { createIdp } from "tailor-idp";
    const idp = await createIdp({ passwordHash: "standard" });
    const client = new idp.Client("builtin-idp");
  `;
  const idle = await node(
    `${open} await client.createUser({ name: "ana@example.com", password: "correct horse" }); console.log("done");`,
  );
  assert.equal(idle.stdout, "done\n");
  const pending = await node(
    `${open} client.createUser({ name: "ana@example.com", password: "correct horse" }).then(() => console.log("created"));`,
  );
  assert.equal(pending.stdout, "created\n");
  const told = await node(
    `${open} for (let n = 0; n < 50; n++) client.createUser({ name: n + "@example.com", password: "correct horse" }); process.exit(0);`,
  );
  assert.equal(told.stdout + told.stderr, "");
});
