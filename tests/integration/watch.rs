//! `run --watch`: changes that start another run, and errors that do not end the watch.

use std::fs;
use std::path::PathBuf;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use crate::live_program::LiveProgram;
use crate::support::program;

const WAITING: &str = "watch: done, waiting for changes";

struct Project(TempDir);

impl Project {
    /// A folder with these files and a package.json, which makes it the root of its scripts.
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(TempDir::new().unwrap());
        project.write("package.json", "{}");
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces the file by renaming, as many editors do.
    fn write_and_rename(&self, name: &str, text: &str) {
        self.write("saved.tmp", text);
        fs::rename(self.path("saved.tmp"), self.path(name)).unwrap();
    }

    fn watch(&self, arguments: &[&str]) -> LiveProgram {
        let mut command = program();
        command.current_dir(self.0.path()).args(["run", "main.js", "--watch"]).args(arguments);
        LiveProgram::start(&mut command)
    }
}

#[test]
fn change_starts_next_run_and_errors_do_not_end_watch() {
    let project = Project::new(&[("main.js", "export default () => 'first';")]);
    let mut program = project.watch(&["--no-config"]);
    program.line("\"first\"");
    program.line(WAITING);
    project.write("main.js", "export default () => 'second';");
    program.line("watch: main.js changed, running again");
    program.line("\"second\"");
    program.line(WAITING);
    project.write("main.js", "export default () => {");
    program.line("SyntaxError");
    program.line(WAITING);
    project.write("main.js", "export default () => { throw new Error('thrown'); };");
    program.line("Error: thrown");
    program.line(WAITING);
    project.write_and_rename("main.js", "export default () => 'mended';");
    program.line("\"mended\"");
    program.line(WAITING);
    fs::remove_file(project.path("main.js")).unwrap();
    program.line("cannot read the script");
    program.line(WAITING);
    project.write("main.js", "export default () => 'back';");
    program.line("\"back\"");
}

#[test]
fn imported_files_are_watched_even_before_they_exist() {
    let project = Project::new(&[
        ("main.js", "import { word } from './lib/word.js';\nexport default () => word;"),
        ("other.js", "export const word = 'other';"),
    ]);
    let mut program = project.watch(&["--no-config"]);
    program.line("./lib/word.js");
    program.line(WAITING);
    fs::create_dir(project.path("lib")).unwrap();
    project.write("lib/word.js", "export const word = 'one';");
    program.line("\"one\"");
    program.line(WAITING);
    project.write("lib/word.js", "export const word = 'two';");
    program.line("watch: lib/word.js changed, running again");
    program.line("\"two\"");
    program.line(WAITING);
    project.write("lib/word.js", "export { word } from '../other.js';");
    program.line("\"other\"");
    program.line(WAITING);
    project.write("other.js", "export const word = 'three';");
    program.line("\"three\"");
}

#[test]
fn argument_invoker_and_settings_files_are_watched() {
    const SETTINGS: &str = "[namespace.builtin-idp]\nstore = \"memory\"\n";
    let main = "export default (args) => {
      console.log(`argument ${args.n}`);
      return new tailor.idp.Client({ namespace: 'builtin-idp' }).users({}).then(() => 'listed');
    };";
    let invoker = r#"{ "id": "1", "type": "user", "attributeMap": { "role": "ADMIN" } }"#;
    let project = Project::new(&[
        ("main.js", main),
        ("args.json", r#"{ "n": 1 }"#),
        ("invoker.json", invoker),
        ("tailor-idp.toml", SETTINGS),
    ]);
    let mut program = project.watch(&["--arg-file", "args.json", "--invoker", "invoker.json"]);
    program.line("argument 1");
    program.line(WAITING);
    project.write("args.json", r#"{ "n": 2 }"#);
    program.line("watch: args.json changed, running again");
    program.line("argument 2");
    program.line(WAITING);
    project.write("tailor-idp.toml", "[namespace.builtin-idp]\nstore = 1\n");
    program.line("tailor-idp.toml:2:");
    program.line(WAITING);
    project.write("tailor-idp.toml", &format!("{SETTINGS}\n[function]\ntimeout = \"7s\"\n"));
    program.line("argument 2");
    program.line(WAITING);
    project.write("invoker.json", "[]");
    program.line("an invoker must be an object");
    program.line(WAITING);
}

#[test]
fn change_ends_running_script() {
    let project = Project::new(&[("main.js", "console.log('busy'); for (;;);")]);
    let mut program = project.watch(&["--no-config"]);
    program.line("busy");
    project.write("main.js", "export default () => 'free';");
    program.line("watch: main.js changed, running again");
    program.line("\"free\"");
}

#[test]
fn each_run_resets_memory_store_and_keeps_database() {
    let main = |note: &str| {
        format!(
            "export default async () => {{ // {note}
               const idp = new tailor.idp.Client({{ namespace: 'builtin-idp' }});
               await idp.createUser({{ name: `${{crypto.randomUUID()}}@example.com` }});
               const {{ users }} = await idp.users({{}});
               return `users: ${{users.length}}`;
             }};"
        )
    };
    let project = Project::new(&[("main.js", &main("one"))]);
    for (arguments, second) in [(&["--no-config"][..], "users: 1"), (&["--no-config", "--db", "users.db"], "users: 2")]
    {
        project.write("main.js", &main("one"));
        let mut program = project.watch(arguments);
        program.line("users: 1");
        program.line(WAITING);
        project.write("main.js", &main("two"));
        program.line("running again");
        assert_eq!(program.line("users: "), format!("\"{second}\""));
    }
}

#[cfg(unix)]
#[test]
fn interrupt_ends_watch_with_exit_code_130() {
    let project = Project::new(&[("main.js", "export default () => 'done';")]);
    let mut program = project.watch(&["--no-config"]);
    program.line(WAITING);
    program.interrupt();
    assert_eq!(program.end(), Some(130));
    project.write("main.js", "console.log('busy'); for (;;);");
    let mut program = project.watch(&["--no-config"]);
    program.line("busy");
    program.interrupt();
    assert_eq!(program.end(), Some(130));
}
