//! Finds the worker processes of a host.

use std::fs;
use std::path::{Path, PathBuf};

/// Children of a process, also those that have ended.
fn all_children(process: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .flatten()
        .flat_map(|task| of(task).split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Children of a process that are not zombies.
fn children(process: u32) -> Vec<u32> {
    all_children(process).into_iter().filter(|child| is_alive(*child)).collect()
}

/// Whether a process has not ended.
pub(crate) fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// The zygotes and the workers of a host.
pub(crate) fn worker_processes(host: u32) -> (Vec<u32>, Vec<u32>) {
    let is_zygote = |process: &u32| {
        fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|line| line.contains("--tailor-idp-zygote"))
    };
    let zygotes: Vec<_> = children(host).into_iter().filter(is_zygote).collect();
    let workers = zygotes.iter().flat_map(|zygote| children(*zygote)).collect();
    (zygotes, workers)
}

/// A name of its own for the program: a runtime that starts it shares no workers with other tests.
pub(crate) fn program_alone(folder: &Path) -> PathBuf {
    let alone = folder.canonicalize().unwrap().join("worker");
    let program = env!("CARGO_BIN_EXE_tailor-idp");
    if fs::hard_link(program, &alone).is_err() {
        fs::copy(program, &alone).unwrap();
    }
    alone
}

/// The zygote of this process that runs the program.
pub(crate) fn zygote_of(program: &Path) -> Option<u32> {
    let (zygotes, _) = worker_processes(std::process::id());
    zygotes.into_iter().find(|zygote| fs::read_link(format!("/proc/{zygote}/exe")).is_ok_and(|exe| exe == program))
}

/// The workers of this process that run the program.
pub(crate) fn workers_of(program: &Path) -> Vec<u32> {
    zygote_of(program).map(children).unwrap_or_default()
}

/// Memory of a process that no other process has, in bytes: what it did not map from files and does not share as such.
pub(crate) fn anonymous_memory(process: u32) -> usize {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let mut pages = statm.split_whitespace().skip(1).filter_map(|pages| pages.parse::<usize>().ok());
    let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    resident.saturating_sub(shared) * rustix::param::page_size()
}

/// Name of the system call in the report of a worker that made one that the sandbox does not know.
pub(crate) fn unknown_call(error: &str) -> Option<String> {
    let (_, number) = error.split_once("the sandbox does not know: number ")?;
    let digits = number.split(|other: char| !other.is_ascii_digit()).next()?;
    let call = syscalls::Sysno::new(digits.parse().ok()?);
    Some(call.map_or_else(|| digits.to_owned(), |call| call.name().to_owned()))
}

/// Children of a process that have ended and wait to be reaped.
pub(crate) fn zombies(process: u32) -> usize {
    all_children(process).into_iter().filter(|child| !is_alive(*child)).count()
}

/// Open descriptors of a process of this user.
pub(crate) fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// Virtual memory of a process, in bytes.
pub(crate) fn virtual_memory(process: u32) -> usize {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = statm.split_whitespace().next().and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * rustix::param::page_size()
}
