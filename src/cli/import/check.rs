//! The first pass over a file of users: whether every line can be imported.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use tailor_idp::idp::{Idp, ImportError};

use super::lines::{Block, Blocks, parse};
use crate::cli::output;

/// Faults that are shown: enough to mend a program that writes such files.
const SHOWN: usize = 20;

/// Characters of a fault that are shown.
const SHOWN_CHARS: usize = 400;

/// What is wrong with the lines of a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: u64,
    /// The first, by line.
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
        if self.first.len() > SHOWN {
            self.first.pop_last();
        }
    }

    /// Fails where there are any, and prints the first: a line each, in the form that editors find their way by.
    pub(super) fn print(self, file: &str) -> anyhow::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        for (line, fault) in &self.first {
            output::print_error(&format!("{file}:{line}: {}", shown(fault)));
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 {
            output::print_error(&format!("… and {more} more"));
        }
        let lines = if self.count == 1 { "line is" } else { "lines are" };
        anyhow::bail!("{} {lines} wrong: nobody was imported", self.count)
    }
}

/// What a file says does nothing to a terminal.
fn shown(fault: &str) -> String {
    let mut shown = String::new();
    for character in fault.chars().take(SHOWN_CHARS) {
        if character.is_control() { shown.extend(character.escape_unicode()) } else { shown.push(character) }
    }
    if fault.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Checks every line, on all cores.
pub(super) fn check(
    blocks: &mut Blocks<impl BufRead>,
    idp: &Idp,
    namespace: &str,
    bar: &ProgressBar,
) -> anyhow::Result<Faults> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, queue) = mpsc::sync_channel::<Block>(threads);
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        // Dropped on every way out: without it the threads end.
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

/// Checks blocks until there are no more.
fn check_all(queue: &Mutex<Receiver<Block>>, idp: &Idp, namespace: &str) -> anyhow::Result<Faults> {
    let mut faults = Faults::default();
    let mut failure = None;
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(block) = next() {
        // After a failure blocks are still taken: whoever sends them would wait for ever.
        if failure.is_none() {
            failure = check_block(block, idp, namespace, &mut faults).err();
        }
    }
    failure.map_or(Ok(faults), |failure| Err(failure.into()))
}

fn check_block(mut block: Block, idp: &Idp, namespace: &str, faults: &mut Faults) -> Result<(), ImportError> {
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
