//! Other JavaScript runtimes, as baselines.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An installed runtime, with the options that make it fastest.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: PathBuf,
    args: &'static [&'static str],
}

impl Peer {
    /// The command that runs a file without imports.
    pub(crate) fn run_command(&self, file: &Path) -> Command {
        let mut command = self.command();
        command.args(self.args).arg(file);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Without this, Deno asks a server for newer versions.
        command.env("DENO_NO_UPDATE_CHECK", "1");
        command
    }

    /// Name and version.
    pub(crate) fn version(self) -> String {
        let version = version(&mut self.command());
        if version.starts_with(self.name) { version } else { format!("{} {version}", self.name) }
    }

    /// The command that prints the version.
    pub(crate) fn version_command(&self) -> Command {
        let mut command = self.command();
        command.arg("--version");
        command
    }
}

/// The first line that a program prints with `--version`, or an empty text if it does not run.
pub(crate) fn version(program: &mut Command) -> String {
    let output = program.arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}

/// The peers that are installed here.
pub(crate) fn installed() -> Vec<Peer> {
    [deno(), node()].into_iter().flatten().collect()
}

/// Deno, if installed. Starts the executable: the npm package's wrapper takes longer to start than Deno itself. The options
/// turn off configuration lookups, remote modules and permission prompts.
pub(crate) fn deno() -> Option<Peer> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/node_modules/@deno");
    let installed = std::fs::read_dir(packages).into_iter().flatten().flatten();
    let program = installed.map(|package| package.path().join("deno")).find(|program| program.is_file());
    let args = &["run", "--allow-all", "--unstable-kv", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
    Some(Peer { name: "deno", program: program.or_else(|| on_path("deno"))?, args })
}

/// Node.js, if installed.
pub(crate) fn node() -> Option<Peer> {
    Some(Peer { name: "node", program: on_path("node")?, args: &[] })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|program| program.is_file())
}
