//! The handlers that are run.

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

/// Uses what is loaded when it is first asked for: a little, and a lot.
pub(crate) const PARSE_URL: &str = r#"export default async (args) => new URL("https://example.com/a?b=c").host;
"#;
pub(crate) const MAKE_REQUEST: &str = r#"export default async (args) => new Request("https://example.com/", { method: "POST", body: "a" }).url;
"#;

/// Reads one user again and again.
pub(crate) const READ_OFTEN: &str = r#"export default async ({ id, times }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  for (let time = 0; time < times; time++) await idp.user(id);
};
"#;

/// As much of that as a script can do without an op: an async function that makes the same object.
pub(crate) const MAKE_OFTEN: &str = r#"const client = {
  async user(id) {
    return { id, name: "ana@example.com", disabled: false, createdAt: "2026-01-01T00:00:00.000Z", mfaEnrolled: false, mfaFactorIds: [] };
  },
};
export default async ({ id, times }) => {
  for (let time = 0; time < times; time++) await client.user(id);
};
"#;

/// Uses built-ins that have guards again and again.
pub(crate) const USE_BUILT_INS: &str = r#"export default async ({ times }) => {
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

/// Waits, so that others need an isolate of their own.
pub(crate) const WAIT: &str =
    "export default async ({ time }) => { await new Promise((done) => setTimeout(done, time)); };\n";

pub(crate) fn script(text: &str) -> anyhow::Result<Script> {
    Ok(Script::new("file:///handler.js".parse()?, text))
}
