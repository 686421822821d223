//! The first pass over a file of users: validates every line.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use tailor_idp::idp::{ImportError, Router};
use tailor_idp::terminal::escape;
use tokio::sync::watch;

use super::lines::{Block, Blocks, parse};
use crate::cli::output;

/// Maximum number of faults to print: enough to fix the program that wrote the file.
const MAX_PRINTED_FAULTS: usize = 20;

/// Maximum number of characters to print of a fault.
const MAX_FAULT_CHARS: usize = 400;

/// What a check found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The number of users without a fault.
    pub(super) users: u64,
    pub(super) faults: Faults,
}

/// The faults of a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The numbers of the faulty lines.
    lines: Vec<u64>,
    /// The first faults, by line number.
    first: BTreeMap<u64, String>,
}

impl Faults {
    fn add(&mut self, line: u64, fault: String) {
        self.lines.push(line);
        self.keep(line, fault);
    }

    fn merge(&mut self, other: Self) {
        self.lines.extend(other.lines);
        for (line, fault) in other.first {
            self.keep(line, fault);
        }
    }

    fn keep(&mut self, line: u64, fault: String) {
        self.first.insert(line, fault);
        if self.first.len() > MAX_PRINTED_FAULTS {
            self.first.pop_last();
        }
    }

    /// Prints the first faults: one per line, starting with FILE:LINE, which editors recognise. Fails if there are any, unless
    /// they are to be skipped. Returns the numbers of the faulty lines, in ascending order.
    pub(super) fn print(mut self, file: &str, skip: bool) -> anyhow::Result<Vec<u64>> {
        for (line, fault) in &self.first {
            output::print_error(&format!("{file}:{line}: {}", printable(fault)));
        }
        let more = self.lines.len() - self.first.len();
        if more > 0 {
            output::print_error(&format!("… and {more} more"));
        }
        if !skip && !self.lines.is_empty() {
            let lines = if self.lines.len() == 1 { "line is" } else { "lines are" };
            let skip = "--skip-faulty imports the others";
            anyhow::bail!("{} {lines} wrong: nobody was imported ({skip})", self.lines.len());
        }
        self.lines.sort_unstable();
        Ok(self.lines)
    }
}

/// A fault on one line, without characters that control the terminal.
fn printable(fault: &str) -> String {
    let end = fault.char_indices().nth(MAX_FAULT_CHARS).map(|(end, _)| end);
    let text = escape(&fault[..end.unwrap_or(fault.len())], &[]);
    format!("{text}{}", if end.is_some() { "…" } else { "" })
}

/// Checks every line, on all processor cores. Returns `None` if `stop` becomes true.
pub(super) fn check(
    blocks: &mut Blocks<impl BufRead>,
    idp: &Router,
    namespace: &str,
    bar: &ProgressBar,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Option<Checked>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, queue) = mpsc::sync_channel::<Block>(threads);
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        // Move the sender in here, so that it is dropped on every return: the threads end with it.
        let sender = sender;
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, || check_all(&queue, idp, namespace));
        let checking = (0..threads).map(spawn).collect::<Result<Vec<_>, _>>()?;
        while let Some(block) = blocks.next()? {
            if *stop.borrow() {
                return Ok(None);
            }
            bar.set_position(block.position);
            sender.send(block)?;
        }
        drop(sender);
        let mut checked = Checked::default();
        for thread in checking {
            let Checked { users, faults } = thread.join().map_err(|_| anyhow::anyhow!("a checking thread died"))??;
            checked.users += users;
            checked.faults.merge(faults);
        }
        Ok(Some(checked))
    })
}

/// Checks blocks until the queue is closed.
fn check_all(queue: &Mutex<Receiver<Block>>, idp: &Router, namespace: &str) -> anyhow::Result<Checked> {
    let mut checked = Checked::default();
    let mut failure = None;
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(block) = next() {
        // Keep receiving after a failure: the sender would block for ever on a full queue.
        if failure.is_none() {
            failure = check_block(block, idp, namespace, &mut checked).err();
        }
    }
    failure.map_or(Ok(checked), |failure| Err(failure.into()))
}

fn check_block(mut block: Block, idp: &Router, namespace: &str, checked: &mut Checked) -> Result<(), ImportError> {
    let Checked { users: count, faults } = checked;
    let (mut users, mut numbers) = (Vec::new(), Vec::new());
    while let Some((number, line)) = block.next() {
        match parse(line) {
            Ok(user) => {
                users.push(user);
                numbers.push(number);
            }
            Err(fault) => faults.add(number, fault),
        }
    }
    *count += users.len() as u64;
    match idp.import_batch(namespace, users) {
        Ok(_) => Ok(()),
        Err(ImportError::Invalid(invalid)) => {
            *count -= invalid.len() as u64;
            for fault in invalid {
                faults.add(numbers[fault.index], fault.error.to_string());
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}
