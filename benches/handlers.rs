//! The measured handlers.

use tailor_idp::function::Script;

/// Does nothing.
pub(crate) const TRIVIAL: &str = "export default async (args) => 1;\n";

/// Reads a user and lists ten.
pub(crate) const READER: &str = r#"export default async (args) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const user = await idp.user(args.id);
  const page = await idp.users({ first: 10 });
  return { name: user.name, total: page.totalCount, users: page.users.length };
};
"#;

/// Reads a user.
pub(crate) const LOOKUP: &str = r#"export default async (args) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const user = await idp.user(args.id);
  return user.name;
};
"#;

/// Uses a web API that loads few modules on first use.
pub(crate) const PARSE_URL: &str = r#"export default async (args) => new URL("https://example.com/a?b=c").host;
"#;
/// Uses a web API that loads many modules on first use.
pub(crate) const MAKE_REQUEST: &str = r#"export default async (args) => new Request("https://example.com/", { method: "POST", body: "a" }).url;
"#;

/// Reads one user `times` times.
pub(crate) const READ_OFTEN: &str = r#"export default async ({ id, times }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  for (let time = 0; time < times; time++) await idp.user(id);
};
"#;

/// Lists the users with these names.
pub(crate) const LIST_NAMED: &str = r#"export default async ({ names }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const { users } = await idp.users({ first: names.length, query: { names } });
  if (users.length !== names.length) throw new Error(`${users.length} users`);
};
"#;

/// Reads the users with these names, one after another.
pub(crate) const READ_EACH: &str = r#"export default async ({ names }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  for (const name of names) await idp.userByName(name);
};
"#;

/// The baseline of [`READ_OFTEN`]: an async function that makes the same object without an op.
pub(crate) const MAKE_OFTEN: &str = r#"const client = {
  async user(id) {
    return { id, name: "ana@example.com", disabled: false, createdAt: "2026-01-01T00:00:00.000Z", mfaEnrolled: false, mfaFactorIds: [] };
  },
};
export default async ({ id, times }) => {
  for (let time = 0; time < times; time++) await client.user(id);
};
"#;

/// Calls builtins that have guards.
pub(crate) const CALL_BUILTINS: &str = r#"export default async ({ times }) => {
  let length = 0;
  for (let time = 0; time < times; time++) {
    const names = [];
    for (let user = 0; user < 8; user++) names.push("user-" + ((user * 5) % 8));
    const text = names.sort().concat(["admin"]).join(",").replace("admin", "root");
    length += text.split(",").length + "ab".repeat(4).length;
  }
  return length;
};
"#;

/// Waits, so that concurrent executions need an isolate each.
pub(crate) const WAIT: &str =
    "export default async ({ time }) => { await new Promise((done) => setTimeout(done, time)); };\n";

pub(crate) fn script(text: &str) -> anyhow::Result<Script> {
    Ok(Script::new("file:///handler.js".parse()?, text))
}
