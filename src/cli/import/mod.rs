//! `tailor-idp users import`: validates a file of users, then imports it in batches.

mod check;
mod lines;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use tailor_idp::idp::store::{ImportObserver, ImportProgress, Imported};
use tailor_idp::idp::{ImportBatch, ImportError, ImportPassword, Router};
use tokio::sync::{oneshot, watch};

use self::check::Checked;
use self::lines::{Block, Blocks};
use super::error::{Interrupted, UsageError};
use super::{files, output, positive, progress, signal};

/// Maximum bytes of lines in a batch. Two batches are in memory at once. A million users with common hashes take less.
const MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;

/// Maximum number of passwords to hash in a batch, which takes up to a minute of one core: an interruption loses no more work.
const MAX_BATCH_PASSWORDS: usize = 1000;

/// Maximum number of names of skipped users to print.
const MAX_PRINTED_NAMES: usize = 20;

/// Import many users from a file
///
/// The file has one JSON object per line: {"name": "ana@example.com", "passwordHash":
/// "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "disabled": false, "createdAt": "2025-02-14T07:16:31Z"}. Only the
/// name is required. Users without a password or a hash cannot sign in with a password. Blank lines are skipped.
///
/// passwordHash is a complete hash by another program: a PHC string of argon2id, argon2i, argon2d, scrypt, pbkdf2-sha256 or
/// pbkdf2-sha512 with salt and hash, or bcrypt's $2a$, $2b$ or $2y$. Its cost is bounded: memory 256 MiB; Argon2: 20 passes,
/// parallelism 64; scrypt: parallelism 16, memory times parallelism 1 GiB; bcrypt: cost 15; PBKDF2: 2000000 iterations. The first
/// successful sign-in replaces it by an Argon2id hash. With password in its place, the import hashes the password itself, which is
/// slow.
///
/// All lines are checked first: if one is invalid, nobody is imported, unless --skip-faulty is given. Then users are added in
/// batches, in the order of the lines. Users whose names are taken are skipped and not changed. After an interruption, which says
/// how many users were stored, run the same import again: it skips the users that are already there.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp users import users.jsonl --db users.db
  zcat users.jsonl.gz | tailor-idp users import - --db users.db --json

Exit codes: 0 imported, even if names were taken; 1 a line is wrong (with --skip-faulty: every line) or the database failed;
2 wrong use; 130 interrupted.")]
pub(super) struct Import {
    /// The file; - is stdin, which is copied to a temporary file first
    file: PathBuf,

    /// Number of users per transaction. Large batches are faster for millions of users; small ones block other writers for
    /// less time (a million: seconds) and take less memory (a million: up to 1 GB)
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = positive)]
    batch: NonZeroUsize,

    /// Leave out lines that are invalid, and import the others
    #[arg(long)]
    skip_faulty: bool,
}

impl Import {
    pub(super) async fn execute(self, idp: &Router, namespace: &str, json: bool) -> anyhow::Result<()> {
        let stop = signal::stopped()?;
        let name = if self.file == Path::new("-") { "stdin".into() } else { self.file.display().to_string() };
        let Some(mut file) = self.open(stop.clone()).await? else {
            return Err(interrupted(&Tally::default()).into());
        };
        let checked = check_file(&file, idp, namespace, &stop).await.with_context(|| format!("cannot read {name}"))?;
        let Some(Checked { users, faults }) = checked else { return Err(interrupted(&Tally::default()).into()) };
        let faulty = faults.print(&name, self.skip_faulty)?;
        anyhow::ensure!(users > 0 || faulty.is_empty(), "every line is wrong: nobody was imported");

        file.rewind()?;
        let bar = progress::bar(Some(users), "importing");
        let mut tally = Tally { faulty: faulty.len() as u64, ..Tally::default() };
        let source = Source {
            blocks: Blocks::new(BufReader::new(file)),
            block: Block::default(),
            idp: idp.clone(),
            namespace: namespace.to_owned(),
            batch: self.batch.get(),
            faulty,
        };
        let finished = import(source, &bar, &stop, &mut tally).await;
        bar.finish_and_clear();
        match finished.with_context(|| format!("{name} is not imported to the end, {}", tally.stored()))? {
            Finished::Completely => tally.print(json),
            Finished::Interrupted => Err(interrupted(&tally).into()),
        }
    }

    /// Opens the file. Pipes, which can be read only once, are copied to a temporary file. Returns `None` if `stop` becomes true.
    async fn open(&self, mut stop: watch::Receiver<bool>) -> anyhow::Result<Option<File>> {
        let from: Box<dyn Read + Send> = if self.file == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            let file = files::open(&self.file)
                .map_err(|error| UsageError(format!("cannot read {}: {error}", self.file.display())))?;
            if file.metadata()?.is_file() {
                return Ok(Some(file));
            }
            Box::new(file)
        };
        // Not a thread of tokio, which would wait for it when the program ends: a read of a pipe may never return.
        let (done, copied) = oneshot::channel();
        std::thread::Builder::new().spawn(move || done.send(copy_to_temporary(from)))?;
        tokio::select! {
            copied = copied => {
                let copied = copied.context("the copying thread died")?;
                copied.map(Some).with_context(|| format!("cannot read {}", self.file.display()))
            }
            _ = stop.wait_for(|stop| *stop) => Ok(None),
        }
    }
}

/// Checks the file on other threads, so that this one notices signals.
async fn check_file(
    file: &File,
    idp: &Router,
    namespace: &str,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Option<Checked>> {
    let bar = progress::bar(Some(file.metadata()?.len()), "checking");
    let mut blocks = Blocks::new(BufReader::new(file.try_clone()?));
    let (idp, namespace, stop, shown) = (idp.clone(), namespace.to_owned(), stop.clone(), bar.clone());
    let checked = tokio::task::spawn_blocking(move || check::check(&mut blocks, &idp, &namespace, &shown, &stop)).await;
    bar.finish_and_clear();
    checked?
}

/// Says what an interrupted import has stored.
fn interrupted(tally: &Tally) -> Interrupted {
    let rest = if tally.imported == 0 { "" } else { "; the same import again adds the rest" };
    output::note("interrupted", &format!("{}{rest}", tally.stored()));
    Interrupted
}

/// Copies to a temporary file that the system removes when the process ends.
fn copy_to_temporary(mut from: impl Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("a temporary file")?;
    std::io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// Totals of the import.
#[derive(Default)]
struct Tally {
    imported: u64,
    skipped: u64,
    /// Names of the first skipped users.
    names: Vec<String>,
    /// The number of faulty lines, which were left out.
    faulty: u64,
}

impl Tally {
    fn add(&mut self, imported: Imported) {
        self.imported += imported.count;
        self.skipped += imported.skipped.len() as u64;
        let remaining = MAX_PRINTED_NAMES - self.names.len();
        self.names.extend(imported.skipped.into_iter().take(remaining).map(|skipped| skipped.name));
    }

    /// How many users were stored.
    fn stored(&self) -> String {
        match self.imported {
            0 => "nobody was imported".to_owned(),
            1 => "1 user was stored".to_owned(),
            many => format!("{many} users were stored"),
        }
    }

    fn print(self, json: bool) -> anyhow::Result<()> {
        let Self { imported, skipped, names, faulty } = self;
        for name in &names {
            output::note("skipped", name);
        }
        let more = skipped - names.len() as u64;
        if more > 0 {
            output::note("skipped", &format!("… and {more} more"));
        }
        if json {
            return output::print_json(&json!({ "imported": imported, "skipped": skipped, "faulty": faulty }));
        }
        let users = if imported == 1 { "user" } else { "users" };
        let names = if skipped == 1 { "name was" } else { "names were" };
        let faulty = match faulty {
            0 => String::new(),
            1 => ", left out 1 faulty line".to_owned(),
            many => format!(", left out {many} faulty lines"),
        };
        output::print(&format!("imported {imported} {users}, skipped {skipped} whose {names} taken{faulty}"))
    }
}

/// How an import ended, if it did not fail.
enum Finished {
    Completely,
    /// The batch in progress was rolled back.
    Interrupted,
}

async fn import(
    source: Source,
    bar: &ProgressBar,
    stop: &watch::Receiver<bool>,
    tally: &mut Tally,
) -> anyhow::Result<Finished> {
    let mut next = tokio::task::spawn_blocking(move || source.next());
    loop {
        let (source, batch): (Source, _) = next.await??;
        let Some(batch) = batch else { return Ok(Finished::Completely) };
        // Read and validate the next batch while this one is imported.
        next = tokio::task::spawn_blocking(move || source.next());
        let observer = observer(bar, stop, tally.imported + tally.skipped, batch.passwords());
        match batch.import_observed(observer).await {
            Ok(imported) => tally.add(imported),
            Err(ImportError::Cancelled) => return Ok(Finished::Interrupted),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Moves the bar while a batch is imported, and cancels the batch once `stop` is true. `before` users precede the batch, in which
/// `passwords` are to be hashed.
///
/// The bar counts users who are written, and so never moves back; the message counts what precedes that.
fn observer(bar: &ProgressBar, stop: &watch::Receiver<bool>, before: u64, passwords: usize) -> ImportObserver {
    let (bar, stop) = (bar.clone(), stop.clone());
    Arc::new(move |progress| {
        match progress {
            ImportProgress::LookedUp(names) => bar.set_message(format!("comparing names {names}")),
            ImportProgress::Hashed(hashed) => bar.set_message(format!("hashing {hashed}/{passwords}")),
            ImportProgress::Written(users) => {
                bar.set_message("importing");
                bar.set_position(before + users as u64);
            }
            ImportProgress::Committing => bar.set_message("committing"),
        }
        if *stop.borrow() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Reads batches of users from a file that has been validated.
struct Source {
    blocks: Blocks<BufReader<File>>,
    /// The current block, with the lines that are not in a batch yet.
    block: Block,
    idp: Router,
    namespace: String,
    batch: usize,
    /// The numbers of the lines to leave out, in ascending order.
    faulty: Vec<u64>,
}

impl Source {
    /// Returns the next batch, or `None` at the end of the file. Takes and returns `self` so that it can run on another thread.
    fn next(mut self) -> anyhow::Result<(Self, Option<ImportBatch>)> {
        let mut users = Vec::new();
        let mut numbers = Vec::new();
        let (mut bytes, mut passwords) = (0, 0);
        while users.len() < self.batch && bytes < MAX_BATCH_BYTES && passwords < MAX_BATCH_PASSWORDS {
            let Some((number, line)) = self.block.next() else {
                let Some(block) = self.blocks.next()? else { break };
                self.block = block;
                continue;
            };
            if self.faulty.binary_search(&number).is_ok() {
                continue;
            }
            let user = lines::parse(line).map_err(|fault| file_changed(number, &fault))?;
            passwords += usize::from(matches!(user.password, Some(ImportPassword::Plain(_))));
            users.push(user);
            numbers.push(number);
            bytes += line.len();
        }
        if users.is_empty() {
            return Ok((self, None));
        }
        let batch = self.idp.import_batch(&self.namespace, users).map_err(|error| match error {
            ImportError::Invalid(faults) => match faults.first() {
                Some(fault) => file_changed(numbers[fault.index], &fault.error),
                None => anyhow::anyhow!("invalid batch without a fault"),
            },
            error => error.into(),
        })?;
        Ok((self, Some(batch)))
    }
}

fn file_changed(line: u64, fault: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("line {line}: {fault}; it was changed after it had been checked")
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressDrawTarget;
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn bar_never_moves_back_while_batches_are_hashed_and_written() {
        let bar = ProgressBar::with_draw_target(Some(2000), ProgressDrawTarget::hidden());
        let (_stop, stopped) = watch::channel(false);
        let mut positions = Vec::new();
        for before in [0, 1000] {
            let observer = observer(&bar, &stopped, before, 300);
            let mut show = |progress| {
                assert_eq!(observer(progress), ControlFlow::Continue(()));
                positions.push(bar.position());
                bar.message()
            };
            assert_eq!(show(ImportProgress::LookedUp(1000)), "comparing names 1000");
            for hashed in [1, 300] {
                assert_eq!(show(ImportProgress::Hashed(hashed)), format!("hashing {hashed}/300"));
            }
            for written in [256, 1000] {
                assert_eq!(show(ImportProgress::Written(written)), "importing");
            }
            assert_eq!(show(ImportProgress::Committing), "committing");
        }
        assert_eq!(positions, [0, 0, 0, 256, 1000, 1000, 1000, 1000, 1000, 1256, 2000, 2000]);
    }

    #[test]
    fn batch_is_cancelled_at_any_progress_once_the_import_is_stopped() {
        let (stop, stopped) = watch::channel(false);
        let observer = observer(&ProgressBar::hidden(), &stopped, 0, 1);
        stop.send_replace(true);
        for progress in [
            ImportProgress::LookedUp(1000),
            ImportProgress::Hashed(1),
            ImportProgress::Written(1),
            ImportProgress::Committing,
        ] {
            assert_eq!(observer(progress), ControlFlow::Break(()), "{progress:?}");
        }
    }
}
