//! The programs that ours is held against.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;

/// Another runtime, with the settings that are best for it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: PathBuf,
    args: &'static [&'static str],
}

impl Peer {
    /// Runs a file that needs nothing but itself.
    pub(crate) fn run(&self, file: &Path) -> Command {
        let mut command = self.command();
        command.args(self.args).arg(file);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Asks nobody for a newer version.
        command.env("DENO_NO_UPDATE_CHECK", "1");
        command
    }

    pub(crate) fn version(self) -> String {
        let version = machine::version(&mut self.command());
        if version.starts_with(self.name) { version } else { format!("{} {version}", self.name) }
    }

    pub(crate) fn version_command(&self) -> Command {
        let mut command = self.command();
        command.arg("--version");
        command
    }
}

/// Deno: the program itself, not the wrapper of its package, which takes longer than what it starts. Nothing is looked for
/// but the file, and nothing has to be asked.
pub(crate) fn deno() -> Option<Peer> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/node_modules/@deno");
    let installed = std::fs::read_dir(packages).into_iter().flatten().flatten();
    let program = installed.map(|package| package.path().join("deno")).find(|program| program.is_file());
    let args = &["run", "--allow-all", "--unstable-kv", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
    Some(Peer { name: "deno", program: program.or_else(|| on_path("deno"))?, args })
}

pub(crate) fn node() -> Option<Peer> {
    Some(Peer { name: "node", program: on_path("node")?, args: &[] })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|program| program.is_file())
}
