// The golden tests of the eight methods, with Node.js in place of a function: the same scripts, settings and expectations.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { format, parseArgs } from "node:util";
import { createIdp } from "tailor-idp";

const scripts = resolve(import.meta.dirname, "../../tests/scripts");

const areas = [
  "concurrency",
  "constructor",
  "create-user",
  "delete-user",
  "errors",
  "invoker",
  "list-users",
  "mfa",
  "namespaces",
  "non-email-names",
  "paging",
  "permission",
  "read-user",
  "reset-email",
  "update-user",
];

/** Cases that are about a function rather than the identity provider. */
const notHere = {
  "concurrency/calls-have-a-limit": "the number of calls is limited by the function runtime",
  "concurrency/not-awaited": "a script ends with its handler",
  "errors/locked-database": "the users are in memory",
  "invoker/from-a-file": "a flag of the program",
  "errors/logged-whole": "Node.js shows its own frames",
};

/** A text of the expectation as a regular expression. */
function pattern(text) {
  const matchers = {
    "[WILDCARD]": "[^]*",
    "[WILDLINE]": ".*",
    "[UUID]": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "[TIME]": "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z",
  };
  const parts = text.split(/(\[(?:WILDCARD|WILDLINE|UUID|TIME)\])/);
  const escaped = parts.map((part) => matchers[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join("")}$`);
}

function readExpectation(folder) {
  const [, code, stdout, stderr] = /^--- exit code\n(\d+)\n--- stdout\n([^]*?)--- stderr\n([^]*?)(?:--- after|$)/.exec(
    readFileSync(join(folder, "expected.txt"), "utf8"),
  );
  return { code: Number(code), stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
}

const FLAGS = {
  "enable-mfa": { type: "boolean", default: false },
  namespace: { type: "string", multiple: true },
  "use-non-email-identifier": { type: "boolean", default: false },
};

/** The identity provider of a case, with the users of its `before`. `undefined` if that needs the program. */
async function open(folder, options) {
  const files = [join(folder, "tailor-idp.toml"), join(scripts, "tailor-idp.toml")];
  let config = options.config === false ? undefined : files.find((file) => existsSync(file));
  if (options.db || typeof options.config === "string") return undefined;
  if (options.flags) {
    // The flags in place of settings.
    const { values } = parseArgs({ args: options.flags, options: FLAGS });
    const userAuthPolicy = {
      useNonEmailIdentifier: values["use-non-email-identifier"],
      enableMfa: values["enable-mfa"],
      allowedReturnOrigins: ["https://example.com"],
    };
    const names = values.namespace ?? ["builtin-idp"];
    const settings = { permission: "allow-all", userAuthPolicy };
    config = { namespace: Object.fromEntries(names.map((name) => [name, settings])) };
  }
  const idp = await createIdp(config === undefined ? {} : { config });
  const ids = {};
  for (const command of options.before ?? []) {
    const [users, what, name, ...more] = command.filter((word) => !["--enable-mfa", "--no-config"].includes(word));
    if (users !== "users" || more.some((flag) => flag !== "--disabled")) return undefined;
    if (what === "create") {
      const [user] = await idp.seed("builtin-idp", [{ name, disabled: more.length > 0 }]);
      ids[name] = user.id;
    } else if (what === "enroll-mfa") {
      await idp.enrollMfa("builtin-idp", ids[name]);
    } else {
      return undefined;
    }
  }
  const replaced = (value) => JSON.parse(JSON.stringify(value).replaceAll(/<id of ([^>]+)>/g, (_, name) => ids[name]));
  if (options.invoker) idp.invoker = replaced(options.invoker);
  const args = join(folder, "args.json");
  return { idp, args: existsSync(args) ? replaced(JSON.parse(readFileSync(args, "utf8"))) : {} };
}

let ran = 0;
for (const area of areas) {
  for (const name of readdirSync(join(scripts, area)).sort()) {
    const folder = join(scripts, area, name);
    const id = `${area}/${name}`;
    if (id in notHere || !existsSync(join(folder, "main.js")) || !existsSync(join(folder, "expected.txt"))) continue;
    const file = join(folder, "case.json");
    const options = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
    const expected = readExpectation(folder);
    // How an uncaught error is printed is the program's.
    if (expected.code !== 0 || options.script) continue;

    test(id, async (t) => {
      const opened = await open(folder, options);
      if (!opened) return t.skip("needs the program");
      ran += 1;
      Object.defineProperty(globalThis, "tailor", { value: opened.idp.tailor, configurable: true, writable: true });
      const lines = [];
      for (const level of ["log", "info", "warn", "error", "debug"]) {
        t.mock.method(console, level, (...args) => lines.push(format(...args)));
      }
      const { default: handler } = await import(pathToFileURL(join(folder, "main.js")).href);
      const result = await handler(opened.args);
      t.mock.restoreAll();
      const stdout = JSON.stringify(result === undefined ? null : result, null, 2);
      assert.match(stdout, pattern(expected.stdout));
      const stderr = expected.stderr.replace(/^(note: .*\n?)+/, "");
      // Node.js and a function quote strings in objects differently.
      const quotes = (text) => text.replaceAll("'", '"');
      assert.match(quotes(lines.join("\n")), pattern(quotes(stderr)));
    });
  }
}

test("most cases ran", () => assert.ok(ran > 80, `${ran} cases`));
