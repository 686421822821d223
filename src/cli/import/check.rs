//! The first pass over a file of users: validates every line.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use tailor_idp::idp::{ImportError, Router};
use tailor_idp::terminal::escape;

use super::lines::{Block, Blocks, parse};
use crate::cli::output;

/// Maximum number of faults to print: enough to fix the program that wrote the file.
const MAX_PRINTED_FAULTS: usize = 20;

/// Maximum number of characters to print of a fault.
const MAX_FAULT_CHARS: usize = 400;

/// The faults of a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: u64,
    /// The first faults, by line number.
    first: BTreeMap<u64, String>,
}

impl Faults {
    fn add(&mut self, line: u64, fault: String) {
        self.count += 1;
        self.keep(line, fault);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
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

    /// Fails if there are faults, and prints the first ones: one per line, starting with FILE:LINE, which editors recognise.
    pub(super) fn print(self, file: &str) -> anyhow::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        for (line, fault) in &self.first {
            output::print_error(&format!("{file}:{line}: {}", printable(fault)));
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 {
            output::print_error(&format!("… and {more} more"));
        }
        let lines = if self.count == 1 { "line is" } else { "lines are" };
        anyhow::bail!("{} {lines} wrong: nobody was imported", self.count)
    }
}

/// A fault on one line, without characters that control the terminal.
fn printable(fault: &str) -> String {
    let end = fault.char_indices().nth(MAX_FAULT_CHARS).map(|(end, _)| end);
    let text = escape(&fault[..end.unwrap_or(fault.len())], &[]);
    format!("{text}{}", if end.is_some() { "…" } else { "" })
}

/// Checks every line, on all processor cores.
pub(super) fn check(
    blocks: &mut Blocks<impl BufRead>,
    idp: &Router,
    namespace: &str,
    bar: &ProgressBar,
) -> anyhow::Result<Faults> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, queue) = mpsc::sync_channel::<Block>(threads);
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        // Move the sender in here, so that it is dropped on every return: the threads end with it.
        let sender = sender;
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, || check_all(&queue, idp, namespace));
        let checking = (0..threads).map(spawn).collect::<Result<Vec<_>, _>>()?;
        while let Some(block) = blocks.next()? {
            bar.set_position(block.position);
            sender.send(block)?;
        }
        drop(sender);
        let mut faults = Faults::default();
        for thread in checking {
            faults.merge(thread.join().map_err(|_| anyhow::anyhow!("a checking thread died"))??);
        }
        Ok(faults)
    })
}

/// Checks blocks until the queue is closed.
fn check_all(queue: &Mutex<Receiver<Block>>, idp: &Router, namespace: &str) -> anyhow::Result<Faults> {
    let mut faults = Faults::default();
    let mut failure = None;
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(block) = next() {
        // Keep receiving after a failure: the sender would block for ever on a full queue.
        if failure.is_none() {
            failure = check_block(block, idp, namespace, &mut faults).err();
        }
    }
    failure.map_or(Ok(faults), |failure| Err(failure.into()))
}

fn check_block(mut block: Block, idp: &Router, namespace: &str, faults: &mut Faults) -> Result<(), ImportError> {
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
    match idp.import_batch(namespace, users) {
        Ok(_) => Ok(()),
        Err(ImportError::Invalid(invalid)) => {
            for fault in invalid {
                faults.add(numbers[fault.index], fault.error.to_string());
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}
