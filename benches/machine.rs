//! Describes the machine and the software of a run.

use std::process::Command;

use crate::figure::Machine;
use crate::peers::{self, Peer};
use crate::plan::Plan;

/// Describes this machine. Values that cannot be read are empty or 0.
pub(crate) fn describe(plan: &Plan) -> anyhow::Result<Machine> {
    let mut versions = vec![peers::version(&mut Command::new(&plan.program)), commit()];
    versions.push(format!("V8 {}", tailor_idp::deno_core::v8::VERSION_STRING));
    versions.push(format!("SQLite {}", rusqlite::version()));
    if !plan.quick {
        versions.extend(peers::installed().into_iter().map(Peer::version));
    }
    Ok(Machine {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        processor: value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism()?.get(),
        memory_bytes: memory_bytes(),
        system: system(),
        versions: versions.into_iter().filter(|version| !version.is_empty()).collect(),
    })
}

/// The measured commit, or an empty text outside a git checkout.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if commit.is_empty() { commit } else { format!("commit {commit}") }
}

/// The value of the first line `key : value`.
fn value_of(file: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> u64 {
    let kib = value_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim())
}
