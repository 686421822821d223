//! `tailor-idp init`: writes a starter project.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use tailor_idp::settings::FILE_NAME;

use super::error::UsageError;
use super::output;

/// Create a project: settings, a handler, and a golden test for it
///
/// Writes a settings file with comments, and a handler in a folder that is also its golden test, with an argument and the
/// expected output. Never overwrites files.
#[derive(Args)]
pub(super) struct Init {
    /// The folder; created if it does not exist [default: this one]
    #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
    folder: PathBuf,
}

/// Files of the starter project: path and content.
const STARTER: [(&str, &str); 4] = [
    (FILE_NAME, include_str!("starter/tailor-idp.toml")),
    ("handlers/sign-up/main.js", include_str!("starter/main.js")),
    ("handlers/sign-up/args.json", include_str!("starter/args.json")),
    ("handlers/sign-up/expected.txt", include_str!("starter/expected.txt")),
];

impl Init {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let existing: Vec<_> = STARTER.iter().map(|(name, _)| *name).filter(|name| self.path(name).exists()).collect();
        if !existing.is_empty() {
            let existing = existing.join(", ");
            return Err(
                UsageError(format!("{} has {existing} already: nothing was written", self.folder.display())).into()
            );
        }
        for (name, text) in STARTER {
            let path = self.path(name);
            write_new(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            output::print(&format!("wrote {}", path.display()))?;
        }
        let run = format!("tailor-idp run {} --arg-file", self.path("handlers/sign-up/main.js").display());
        output::print(&format!("\nNow: {run} {}", self.path("handlers/sign-up/args.json").display()))?;
        let here = self.folder == Path::new(".");
        let folder = if here { String::new() } else { format!(" {}", self.folder.display()) };
        output::print(&format!("Its golden test: tailor-idp test{folder}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.folder == Path::new(".") { PathBuf::from(name) } else { self.folder.join(name) }
    }
}

/// Fails if the file exists by now.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
