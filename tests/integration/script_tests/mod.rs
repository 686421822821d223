//! `tailor-idp test`.

mod cases;
mod ends;
mod examples;
mod expectations;
mod junit;
mod selection;
mod updates;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{End, program};

/// A script that passes with [`HELLO_EXPECTED`].
const HELLO: &str = "export default () => { console.log(\"hello\"); return 1; };";
const HELLO_EXPECTED: &str = "--- exit code\n0\n--- stdout\n1\n--- stderr\nhello\n";
const OPEN: &str = "[namespace.builtin-idp]\nstore = \"memory\"\npermission = \"allow-all\"\n";

struct Folder(TempDir);

impl Folder {
    /// A folder with these files, and with settings that allow everything, so that nothing is printed to stderr.
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("tailor-idp.toml", OPEN);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `tailor-idp test` in this folder, and checks that it removes its temporary files.
    fn test(&self, arguments: &[&str]) -> End {
        let temporary = self.path(".tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        let end = End::of(program().current_dir(self.root()).env("TMPDIR", &temporary).arg("test").args(arguments));
        let left = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert!(left.is_empty(), "temporary files were left: {left:?}");
        end
    }
}

/// The output with durations replaced by `TIME`.
fn without_durations(text: &str) -> String {
    let time = regex::Regex::new(r"\d+\.\d\d s").unwrap();
    time.replace_all(text, "TIME").into_owned()
}

/// The names of the cases in the output with their verdicts, sorted by name.
fn verdicts(end: &End) -> Vec<String> {
    let words = ["ok", "FAILED", "updated", "left"];
    let lines = end.stdout.lines().filter_map(|line| {
        let mut parts = line.split_whitespace();
        let word = parts.next().filter(|word| words.contains(word))?;
        let name = parts.find(|part| *part != "out")?;
        Some(format!("{} {word}", name.trim_end_matches(':')))
    });
    let mut lines = lines.collect::<Vec<_>>();
    lines.sort();
    lines
}
