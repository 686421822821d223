//! `tailor-idp run`: runs a script once, or on every change.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tailor_idp::function::{
    CertificateAuthorities, Execution, FetchPolicy, FunctionRuntime, Invocation, Limits, Script, Workers,
    parse_argument,
};
use tailor_idp::settings::{FunctionLimits, ScriptIsolation};

use super::error::{self, AlreadyPrinted, Interrupted, UsageError};
use super::inspect::{self, Debugger, InspectArgs};
use super::store::ScriptStoreArgs;
use super::watch::FileWatch;
use super::{files, invoker, output, signal};

/// Time that threads have to end after the run.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Run a handler once and print what it returns
///
/// The handler is the default export of an ES module, else its export `main`, else `globalThis.main`. It takes one JSON value.
/// The result goes to stdout as JSON; what the script logs goes to stderr.
///
/// The types of TypeScript (`.ts`, `.mts`) are stripped, not checked. A script can import local files by a relative path with
/// the file extension; bundle all other imports. It has web APIs (URL, timers, streams, WebCrypto) and `tailor.idp`, and no
/// access to the machine. See `tailor-idp types`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp run handler.ts
  tailor-idp run handler.js --arg '{\"email\": \"ana@example.com\"}' --db users.db
  curl -s https://api.example.com/users | tailor-idp run import.js - --db users.db

  tailor-idp run handler.ts --watch
  tailor-idp run handler.ts --inspect-brk

Exit codes: 0 the handler returned, 1 it or the database failed, 2 wrong use, 130 --watch was interrupted.")]
pub(super) struct Run {
    /// The script, JavaScript or TypeScript
    #[arg(value_name = "HANDLER")]
    script: PathBuf,

    /// Read the handler's argument from stdin
    #[arg(value_name = "-", value_parser = dash, group = "argument")]
    stdin: Option<String>,

    /// The handler's argument, as JSON [default: {}]
    #[arg(long, value_name = "JSON", group = "argument")]
    arg: Option<String>,

    /// A file with the handler's argument, as JSON; `-` is stdin
    #[arg(long, value_name = "FILE", group = "argument")]
    arg_file: Option<PathBuf>,

    /// Who the script runs for, as JSON or a file with JSON [default: nobody]
    #[arg(long, value_name = "JSON|FILE")]
    invoker: Option<String>,

    /// How long the script may run, such as 500ms, 5s or 2m [default: the settings', else 60s]
    #[arg(long, value_name = "TIME", value_parser = FunctionLimits::parse_timeout)]
    timeout: Option<Duration>,

    /// How much memory it may use, such as 64MB [default: the settings', else 32MB]
    #[arg(long, value_name = "SIZE", value_parser = FunctionLimits::parse_memory)]
    memory: Option<u64>,

    /// Where the script runs: thread, or process for a sandboxed process of its own, for scripts of strangers [default: the
    /// settings', else thread]
    #[arg(long, value_name = "WHERE", value_parser = ScriptIsolation::parse)]
    isolation: Option<ScriptIsolation>,

    /// Print the time, CPU time and memory of the run to stderr
    #[arg(long)]
    stats: bool,

    /// A host that the script may fetch from, in addition to those of the settings; can be given several times: api.example.com,
    /// *.example.com, localhost:8080, 10.0.0.7, or * for the public internet
    #[arg(long, value_name = "HOST")]
    allow_fetch: Vec<String>,

    /// A PEM file with certificates of authorities that fetch trusts, in addition to the public ones and those of the settings
    #[arg(long, value_name = "FILE")]
    fetch_ca: Option<PathBuf>,

    /// Print the whole record of the run in place of the result, as JSON: status, result or error, logs, times and usage
    #[arg(long)]
    record: bool,

    /// Run again whenever the script, a file that it imports, or the file of the argument, the invoker or the settings
    /// changes, until Ctrl-C; users in memory are gone after each run, those of a database stay
    #[arg(long)]
    watch: bool,

    /// Content of stdin, which can be read only once while the run may be repeated.
    #[arg(skip)]
    stdin_text: OnceCell<String>,

    /// Load the global scope from its sources instead of the snapshot, to compare the two
    #[arg(long, hide = true)]
    without_snapshot: bool,

    #[command(flatten)]
    store: ScriptStoreArgs,

    // Last, because its heading would apply to the flags after it.
    #[command(flatten)]
    inspect: InspectArgs,
}

impl Run {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let debugger = self.inspect.listen()?;
        if self.watch {
            return self.run_on_changes(debugger.as_ref()).await;
        }
        self.run_once(debugger.as_ref(), std::future::pending::<()>()).await.map(drop)
    }

    /// Runs, and runs again whenever a file of the run changes, until the program is interrupted.
    async fn run_on_changes(&self, debugger: Option<&Debugger>) -> anyhow::Result<()> {
        let mut stopped = signal::stopped()?;
        let mut watch = FileWatch::new()?;
        let mut files = BTreeSet::new();
        output::note("watch", "runs again whenever the script, what it imports, or another file of the run changes");
        loop {
            files = self.files(files);
            // Hash the files before the run reads them, so that no change is missed.
            let before = watch.watch(&files)?;
            let mut end = pin!(async {
                tokio::select! {
                    changed = watch.changed(&before) => Some(changed),
                    _ = stopped.wait_for(|stopped| *stopped) => None,
                }
            });
            let ended = self.run_once(debugger, end.as_mut()).await;
            if let Err(error) = &ended {
                error::print(error);
            }
            let changed = match ended {
                Ok(Some(changed)) => changed,
                _ => {
                    output::note("watch", "done, waiting for changes");
                    end.await
                }
            };
            let names: Vec<_> = changed.ok_or(Interrupted)??.iter().map(|path| name_of(path)).collect();
            output::note("watch", &format!("{} changed, running again", names.join(", ")));
        }
    }

    /// The files that the run depends on. If the script cannot be read, its files are those of `before`.
    fn files(&self, before: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut files = Script::from_file(&self.script).map_or(before, |script| script.files().into_iter().collect());
        // Add the path as given: it may not exist, or be a symbolic link.
        if !self.script.canonicalize().is_ok_and(|path| files.contains(&path)) || self.script.is_symlink() {
            files.insert(self.script.clone());
        }
        files.extend(self.arg_file.iter().filter(|path| *path != Path::new("-")).cloned());
        files.extend(self.fetch_ca.clone());
        files.extend(self.invoker.as_deref().and_then(invoker::file));
        files.extend(self.store.settings_file(&self.script));
        files
    }

    /// Runs once and prints the result. Ends the run as soon as `end` completes, and then returns its output.
    async fn run_once<T>(
        &self,
        debugger: Option<&Debugger>,
        end: impl Future<Output = T>,
    ) -> anyhow::Result<Option<T>> {
        // Starts in the background, while the script is read and the store is opened.
        if self.isolation != Some(ScriptIsolation::Process) {
            FunctionRuntime::start_engine();
        }
        let script = Script::from_file(&self.script).map_err(|error| UsageError(error.to_string()))?;
        let mut invocation = Invocation::new(self.argument()?).on_log(|line| output::print_error(&line.text));
        if let Some(invoker) = self.invoker.as_deref().map(invoker::read).transpose()?.flatten() {
            invocation = invocation.invoker(invoker);
        }
        let allowed = FetchPolicy::allow(self.allow_fetch.iter().map(String::as_str))
            .map_err(|error| UsageError(format!("--allow-fetch {error}")))?;
        let authorities = self.fetch_authorities()?;
        let (idp, mut limits, fetch) = self.store.open(&self.script).await?;
        limits.timeout = self.timeout.unwrap_or(limits.timeout);
        limits.memory = self.memory.unwrap_or(limits.memory);
        let allowed = fetch.allowed().or(&allowed);
        let fetch = fetch.allow(allowed).trust(&authorities);
        let isolation = self.isolation.unwrap_or(limits.isolation);
        // A single run needs no prepared isolates.
        let mut runtime = FunctionRuntime::builder(Arc::new(idp))
            .limits(Limits::from(&limits))
            .fetch(fetch)
            .workers(Workers::from(isolation))
            .prepared(0);
        if self.without_snapshot {
            runtime = runtime.without_snapshot();
        }
        if let Some(debugger) = debugger {
            runtime = debugger.attach(runtime);
        }
        let runtime = runtime.build();
        let execution = tokio::select! {
            biased;
            output = end => Err(output),
            execution = runtime.run(&script, invocation) => Ok(execution),
        };
        runtime.shutdown(SHUTDOWN_TIMEOUT).await;
        let execution = match execution {
            Ok(execution) => execution,
            Err(output) => return Ok(Some(output)),
        };
        if self.stats {
            print_stats(&execution);
        }
        if self.record {
            output::print_json(&serde_json::to_value(&execution)?)?;
        }
        match execution.result {
            Ok(_) if self.record => Ok(None),
            Ok(value) => output::print_json(&value).map(|()| None),
            Err(error) => {
                output::print_execution_error(&error);
                Err(AlreadyPrinted.into())
            }
        }
    }

    /// The certificate authorities of `--fetch-ca`.
    fn fetch_authorities(&self) -> Result<CertificateAuthorities, UsageError> {
        let Some(path) = &self.fetch_ca else { return Ok(CertificateAuthorities::default()) };
        let text = std::fs::read(path)
            .map_err(|error| UsageError(format!("cannot read --fetch-ca {}: {error}", path.display())))?;
        CertificateAuthorities::from_pem(&text)
            .map_err(|error| UsageError(format!("--fetch-ca {} {error}", path.display())))
    }

    fn argument(&self) -> Result<Value, UsageError> {
        let (origin, text) = match (&self.arg, &self.arg_file, &self.stdin) {
            (Some(text), _, _) => ("--arg".to_owned(), text.clone()),
            (_, Some(path), _) if path != Path::new("-") => {
                let text = files::read_text(path)
                    .map_err(|error| UsageError(format!("cannot read --arg-file {}: {error}", path.display())))?;
                (path.display().to_string(), text)
            }
            (_, None, None) => return Ok(Value::Object(serde_json::Map::new())),
            _ => {
                let text = match self.stdin_text.get() {
                    Some(text) => text.clone(),
                    None => {
                        let mut text = String::new();
                        let read = std::io::stdin().read_to_string(&mut text);
                        read.map_err(|error| UsageError(format!("cannot read the argument from stdin: {error}")))?;
                        self.stdin_text
                            .get_or_init(|| text.trim_start_matches(files::BYTE_ORDER_MARK).to_owned())
                            .clone()
                    }
                };
                ("stdin".to_owned(), text)
            }
        };
        parse_argument(&text).map_err(|error| UsageError(format!("{origin} {error}")))
    }
}

/// Accepts `-` only.
fn dash(text: &str) -> Result<String, String> {
    if text == "-" {
        return Ok(text.to_owned());
    }
    if inspect::is_address(text) {
        return Err(format!("the address of a debugger follows the flag and an equals sign, as in --inspect={text}"));
    }
    Err("only - can follow the handler: --arg and --arg-file give the argument".to_owned())
}

/// The path relative to the working directory, if it is inside it.
fn name_of(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).display().to_string()
}

fn print_stats(execution: &Execution) {
    let usage = execution.usage;
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let cpu = usage.cpu_time.map_or("not known".to_owned(), milliseconds);
    let heap = usage.peak_heap as f64 / (1024.0 * 1024.0);
    let text = format!("time {}, CPU {cpu}, heap {heap:.1} MB at its peak", milliseconds(usage.wall_time));
    let lines = if execution.logs.len() == 1 { "line" } else { "lines" };
    output::note("stats", &format!("{text}, {} log {lines}", execution.logs.len()));
}
