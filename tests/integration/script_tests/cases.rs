//! Cases: their files, store, settings and commands.

use pretty_assertions::assert_eq;

use super::{Folder, HELLO, HELLO_EXPECTED, verdicts, without_durations};
use crate::support::{End, program};

const NAMES: &str = "export default async () => {
  const users = (await new tailor.idp.Client({ namespace: \"builtin-idp\" }).users()).users;
  return users.map((user) => user.name).join(\" \");
};";

fn expected(stdout: &str) -> String {
    format!("--- exit code\n0\n--- stdout\n{stdout}\n--- stderr\n")
}

#[test]
fn matching_output_passes() {
    let folder = Folder::new(&[("hello/main.js", HELLO), ("hello/expected.txt", HELLO_EXPECTED)]);
    let end = folder.test(&[]);
    assert_eq!(without_durations(&end.stdout), "ok        hello (TIME)\n\n1 case: 1 passed, in TIME\n");
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
}

#[test]
fn case_in_current_folder_is_named_after_folder() {
    let folder = Folder::new(&[("hello/main.js", HELLO), ("hello/expected.txt", HELLO_EXPECTED)]);
    let end = End::of(program().current_dir(folder.path("hello")).args(["test", "--list"]));
    assert_eq!((end.code, end.stdout.as_str()), (Some(0), "hello\n"));
}

#[test]
fn each_case_gets_new_store() {
    let create = "export default async () => {
      const idp = new tailor.idp.Client({ namespace: \"builtin-idp\" });
      await idp.createUser({ name: \"ana@example.com\" });
      return (await idp.users()).totalCount;
    };";
    let folder = Folder::new(&[]);
    for case in ["a", "b", "c", "d"] {
        folder.write(&format!("{case}/main.js"), create);
        folder.write(&format!("{case}/expected.txt"), expected("1"));
    }
    assert_eq!(verdicts(&folder.test(&[])), ["a ok", "b ok", "c ok", "d ok"]);
    assert_eq!(verdicts(&folder.test(&[])), ["a ok", "b ok", "c ok", "d ok"], "the second time as well");
}

#[test]
fn prepared_database_is_copied_and_not_changed() {
    let folder = Folder::new(&[
        (
            "db/main.js",
            &NAMES.replace(
                "const users",
                "await new tailor.idp.Client(\"builtin-idp\").createUser({ name: \"bo@example.com\" });\n  const users",
            ),
        ),
        ("db/case.json", "{\"db\": \"users.db\"}"),
        ("db/expected.txt", &expected("\"ana@example.com bo@example.com\"")),
    ]);
    let database = folder.path("db/users.db");
    let users = |arguments: &[&str]| {
        End::of(program().arg("users").args(arguments).args(["--no-config", "--db"]).arg(&database))
    };
    assert_eq!(users(&["create", "ana@example.com"]).code, Some(0));
    for _ in 0..2 {
        assert_eq!(verdicts(&folder.test(&[])), ["db ok"]);
    }
    assert_eq!(users(&["list", "--json"]).json()["totalCount"], 1);
}

#[test]
fn before_and_after_commands_use_store_of_case() {
    let folder = Folder::new(&[
        ("it/main.js", NAMES),
        (
            "it/case.json",
            "{\"before\": [[\"users\", \"create\", \"ana@example.com\"]],
              \"after\": [[\"users\", \"get\", \"<not filled in>\"], [\"users\", \"list\"]]}",
        ),
        (
            "it/expected.txt",
            "--- exit code\n0\n--- stdout\n\"ana@example.com\"\n--- stderr\n--- after: users get <not filled in>\n--- exit code\n1\n\
             --- stdout\n--- stderr\nerror: [WILDLINE]\n--- after: users list\n--- exit code\n0\n--- stdout\n[WILDLINE]\n [UUID]  ana@example.com  [TIME]  enabled\n1 user\n--- stderr\n",
        ),
    ]);
    let end = folder.test(&[]);
    assert_eq!(verdicts(&end), ["it ok"], "{}", end.stdout);
}

#[test]
fn failed_before_command_fails_case() {
    let folder = Folder::new(&[
        ("it/main.js", NAMES),
        ("it/case.json", "{\"before\": [[\"users\", \"create\", \"no address\"]]}"),
    ]);
    let end = folder.test(&["--update"]);
    assert_eq!(end.code, Some(1));
    let text = "it: [\"users\", \"create\", \"no address\"] failed:\n --- exit code\n 2\n";
    assert!(end.stdout.contains(text), "{}", end.stdout);
    assert!(!folder.path("it/expected.txt").exists());
}

#[test]
fn user_id_placeholders_are_replaced() {
    let folder = Folder::new(&[
        (
            "it/main.js",
            "export default async ({ id }) => (await new tailor.idp.Client(\"builtin-idp\").user(id)).name;",
        ),
        ("it/args.json", "{\"id\": \"<id of ana@example.com>\"}"),
        ("it/case.json", "{\"before\": [[\"users\", \"create\", \"ana@example.com\"]]}"),
        ("it/expected.txt", &expected("\"ana@example.com\"")),
        ("ghost/main.js", HELLO),
        ("ghost/args.json", "{\"id\": \"<id of ghost@example.com>\"}"),
    ]);
    let end = folder.test(&[]);
    assert_eq!(verdicts(&end), ["ghost FAILED", "it ok"]);
    assert!(end.stdout.contains("ghost: no id of ghost@example.com:\n"), "{}", end.stdout);
}

#[test]
fn nearest_settings_apply_unless_case_overrides_them() {
    let closed = "[namespace.builtin-idp]\nstore = \"memory\"\n";
    let denied = "--- exit code\n1\n--- stdout\n--- stderr\n[WILDLINE]permission[WILDCARD]";
    let note = "note: without settings, namespace builtin-idp is open to every script (allow-all)\n";
    let folder = Folder::new(&[
        ("open/main.js", NAMES),
        ("open/expected.txt", &expected("\"\"")),
        ("area/tailor-idp.toml", closed),
        (
            "area/closed/main.js",
            &NAMES.replace(
                "const users",
                "await new tailor.idp.Client(\"builtin-idp\").createUser({ name: \"ana@example.com\" });\n  const users",
            ),
        ),
        ("area/closed/expected.txt", denied),
        ("area/named/main.js", NAMES),
        ("area/named/case.json", "{\"config\": \"../../tailor-idp.toml\"}"),
        ("area/named/expected.txt", &expected("\"\"")),
        ("area/none/main.js", NAMES),
        ("area/none/case.json", "{\"config\": false}"),
        ("area/none/expected.txt", &(expected("\"\"") + note)),
    ]);
    let end = folder.test(&[]);
    let all = ["area/closed ok", "area/named ok", "area/none ok", "open ok"];
    assert_eq!(verdicts(&end), all, "{}", end.stdout);
}

#[test]
fn case_folder_is_replaced_in_output() {
    let folder = Folder::new(&[
        ("with space/main.js", "export default () => { throw new Error(\"no\"); };"),
        ("with space/args.json", "{}"),
    ]);
    assert_eq!(folder.test(&["--update"]).code, Some(0));
    let expected = folder.read("with space/expected.txt");
    assert!(expected.contains("[DIR]/main.js:1:"), "{expected}");
    assert!(!expected.contains("space"), "{expected}");
}

#[test]
fn invalid_cases_are_all_reported_and_nothing_runs() {
    let folder = Folder::new(&[
        ("fine/main.js", HELLO),
        ("fine/expected.txt", HELLO_EXPECTED),
        ("a/case.json", "{\"scirpt\": \"x.js\"}"),
        ("b/case.json", "{\"before\": [\"users\"]}"),
        ("c/case.json", "{\"script\": \"x.js\"}"),
        ("d/expected.txt", ""),
        ("e/main.js", HELLO),
        ("e/main.ts", HELLO),
        ("e/expected.txt", ""),
        ("f/main.js", HELLO),
        ("f/case.json", "{\"config\": 1}"),
        ("g/main.js", HELLO),
        ("g/case.json", "{\"before\": [[\"serve\"]]}"),
        ("h/main.js", HELLO),
        ("h/case.json", "{\"db\": \"users.db\"}"),
    ]);
    let end = folder.test(&[]);
    assert_eq!(
        end.stderr,
        "error: a/case.json: unknown field `scirpt`, expected one of `script`, `flags`, `config`, `db`, `invoker`, `before`, \
         `locked`, `after`, `not_on_quickjs` at line 1 column 9\n\
         error: b/case.json: invalid type: string \"users\", expected a sequence at line 1 column 19\n\
         error: c/case.json: script: there is no file x.js\n\
         error: d: there is no main.js, main.ts, main.mts, and no \"script\" in case.json\n\
         error: e: there are main.js and main.ts: say in case.json which is the \"script\"\n\
         error: f/case.json: config must be the name of a file, or false: got 1\n\
         error: g/case.json: before and after take the commands users, run, explain, events, mail: got \"serve\"\n\
         error: h/case.json: db: there is no file users.db\n"
    );
    assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""));
}
