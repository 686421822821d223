//! `tailor-idp users import`: validates a file of users, then imports it in batches.

mod check;
mod lines;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Seek};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tailor_idp::idp::{ImportBatch, ImportError, Router};

use self::lines::{Block, Blocks};
use super::error::UsageError;
use super::output;

/// Maximum bytes of lines in a batch. Two batches are in memory at once. A million users with common hashes take less.
const MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;

/// Maximum number of names of skipped users to print.
const MAX_PRINTED_NAMES: usize = 20;

/// Import many users from a file
///
/// The file has one JSON object per line: {"name": "ana@example.com", "passwordHash": "$argon2id$v=19$…", "disabled": false}.
/// Only the name is required. The hash is one in PHC form, made by another program; users without one cannot sign in with a
/// password. Passwords are not hashed. Blank lines are skipped.
///
/// All lines are checked first: if one is invalid, nobody is imported. Then users are added in batches, in the order of the
/// lines. Users whose names are taken are skipped and not changed. After an interruption, run the same import again: it skips
/// the users that are already there.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp users import users.jsonl --db users.db
  zcat users.jsonl.gz | tailor-idp users import - --db users.db --json")]
pub(super) struct Import {
    /// The file; - is stdin, which is copied to a temporary file first
    file: PathBuf,

    /// Number of users per transaction. Large batches are faster for millions of users; small ones block other writers for
    /// less time (a million: seconds) and take less memory (a million: up to 1 GB)
    #[arg(long, value_name = "N", default_value = "1000000")]
    batch: NonZeroUsize,
}

impl Import {
    pub(super) async fn execute(self, idp: &Router, namespace: &str, json: bool) -> anyhow::Result<()> {
        let name = if self.file == Path::new("-") { "stdin".into() } else { self.file.display().to_string() };
        let mut file = self.open().with_context(|| format!("cannot read {name}"))?;
        let bytes = file.metadata()?.len();
        let bar = bar(bytes, "checking");
        let faults = check::check(&mut Blocks::new(BufReader::new(&file)), idp, namespace, &bar);
        bar.finish_and_clear();
        faults.with_context(|| format!("cannot read {name}"))?.print(&name)?;

        file.rewind()?;
        let bar = self::bar(bytes, "importing");
        let source = Source {
            blocks: Blocks::new(BufReader::new(file)),
            block: Block::default(),
            idp: idp.clone(),
            namespace: namespace.to_owned(),
            batch: self.batch.get(),
        };
        let tally = import(source, &bar).await;
        bar.finish_and_clear();
        tally.with_context(|| format!("{name} is not imported to the end"))?.print(json)
    }

    /// Opens the file. Pipes, which can be read only once, are copied to a temporary file.
    fn open(&self) -> anyhow::Result<File> {
        if self.file == Path::new("-") {
            return copy_to_temporary(std::io::stdin().lock());
        }
        let file = File::open(&self.file).map_err(|error| UsageError(error.to_string()))?;
        if file.metadata()?.is_file() { Ok(file) } else { copy_to_temporary(file) }
    }
}

/// Copies to a temporary file that the system removes when the process ends.
fn copy_to_temporary(mut from: impl std::io::Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("a temporary file")?;
    std::io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn bar(bytes: u64, what: &'static str) -> ProgressBar {
    // Draw on terminals only.
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(bytes), target).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:9} [{bar:30}] {percent:>3} %  {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Totals of the import.
#[derive(Default)]
struct Tally {
    imported: u64,
    skipped: u64,
    /// Names of the first skipped users.
    names: Vec<String>,
}

impl Tally {
    fn print(self, json: bool) -> anyhow::Result<()> {
        let Self { imported, skipped, names } = self;
        for name in &names {
            output::note("skipped", name);
        }
        let more = skipped - names.len() as u64;
        if more > 0 {
            output::note("skipped", &format!("… and {more} more"));
        }
        if json {
            return output::print_json(&json!({ "imported": imported, "skipped": skipped }));
        }
        let users = if imported == 1 { "user" } else { "users" };
        let names = if skipped == 1 { "name was" } else { "names were" };
        output::print(&format!("imported {imported} {users}, skipped {skipped} whose {names} taken"))
    }
}

async fn import(source: Source, bar: &ProgressBar) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut next = tokio::task::spawn_blocking(move || source.next());
    loop {
        let (source, batch): (Source, _) = next.await??;
        let Some(batch) = batch else { return Ok(tally) };
        let position = source.block.position;
        // Read and validate the next batch while this one is imported.
        next = tokio::task::spawn_blocking(move || source.next());
        let imported = batch.import().await?;
        tally.imported += imported.count;
        tally.skipped += imported.skipped.len() as u64;
        let remaining = MAX_PRINTED_NAMES - tally.names.len();
        tally.names.extend(imported.skipped.into_iter().take(remaining).map(|skipped| skipped.name));
        bar.set_position(position);
    }
}

/// Reads batches of users from a file that has been validated.
struct Source {
    blocks: Blocks<BufReader<File>>,
    /// The current block, with the lines that are not in a batch yet.
    block: Block,
    idp: Router,
    namespace: String,
    batch: usize,
}

impl Source {
    /// Returns the next batch, or `None` at the end of the file. Takes and returns `self` so that it can run on another thread.
    fn next(mut self) -> anyhow::Result<(Self, Option<ImportBatch>)> {
        let mut users = Vec::new();
        let mut numbers = Vec::new();
        let mut bytes = 0;
        while users.len() < self.batch && bytes < MAX_BATCH_BYTES {
            let Some((number, line)) = self.block.next() else {
                let Some(block) = self.blocks.next()? else { break };
                self.block = block;
                continue;
            };
            users.push(lines::parse(line).map_err(|fault| file_changed(number, &fault))?);
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
