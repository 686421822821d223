//! Where and with what it was measured.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::peers::{self, Peer};
use crate::scenario::Plan;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) system: String,
    /// Name and version, ours first.
    pub(crate) versions: Vec<String>,
}

impl Machine {
    pub(crate) fn here(plan: &Plan) -> anyhow::Result<Self> {
        let mut versions = vec![version(&mut Command::new(&plan.program)), commit()];
        versions.push(format!("V8 {}", tailor_idp::deno_core::v8::VERSION_STRING));
        versions.push(format!("SQLite {}", rusqlite::version()));
        if !plan.quick {
            versions.extend([peers::deno(), peers::node()].into_iter().flatten().map(Peer::version));
        }
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: memory(),
            system: system(),
            versions: versions.into_iter().filter(|version| !version.is_empty()).collect(),
        })
    }
}

/// The first line of what a program prints with `--version`.
pub(crate) fn version(program: &mut Command) -> String {
    let output = program.arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if commit.is_empty() { commit } else { format!("commit {commit}") }
}

fn value_of(file: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> u64 {
    let kib = value_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim())
}
