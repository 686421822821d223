//! Helpers that several test modules share.

use std::process::{Command, Output};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use tailor_idp::idp::{NamespaceName, PasswordHash};

/// The program, without environment variables that change its output.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tailor-idp"));
    program.env_remove("TAILOR_IDP_LOG").env("RUST_BACKTRACE", "0");
    program
}

/// A settings file that allows everything. Without settings, the program prints a note about that.
pub(crate) const OPEN_SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/tailor-idp.toml");

/// Exit code and output of the program, readable in a failed assertion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl End {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Sends a signal by the system call: a minimal Debian has no program `kill`.
#[cfg(unix)]
pub(crate) fn send_signal(process: u32, signal: Signal) {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(process, signal).unwrap();
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

/// A well-formed password hash that no password matches. Different texts give different hashes.
pub(crate) fn password_hash(text: &str) -> PasswordHash {
    let salt: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let salt = format!("{salt:0<21}");
    let hash = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    PasswordHash::from_phc(format!("$argon2id$v=19$m=19456,t=2,p=1${}A${hash}", &salt[..21])).unwrap()
}

/// Runs an ignored test of this binary in a process of its own, so that it can count what its process holds. Each variable is set
/// unless the environment has it.
#[cfg(target_os = "linux")]
pub(crate) fn run_alone(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for (name, value) in variables {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let end = End::of(&mut command);
    assert!(end.code == Some(0) && end.stdout.contains(" 1 passed"), "{}\n{}", end.stdout, end.stderr);
}
