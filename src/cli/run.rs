//! `tailor-idp run`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tailor_idp::function::{FetchPolicy, FunctionRuntime, Invocation, Script};

use super::store::ScriptStoreArgs;
use super::{ScriptFailed, WrongUse, invoker, output};

/// Runs the default export of an ES module (else its export `main`, else `globalThis.main`) with one JSON value.
///
/// The result goes to stdout as JSON; what the script logs goes to stderr.
///
/// A script is one self-contained module: bundle what it imports. It has the web's APIs (URL, timers, streams, WebCrypto) and
/// `tailor.idp`, and nothing of the machine. See `tailor-idp types`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp run handler.js
  tailor-idp run handler.js --arg '{\"email\": \"ana@example.com\"}' --db users.db
  curl -s https://api.example.com/users | tailor-idp run import.js - --db users.db

Exit codes: 0 the handler returned, 1 it or the database failed, 2 wrong use.")]
pub(super) struct Run {
    /// The script
    #[arg(value_name = "HANDLER.js")]
    script: PathBuf,

    /// Read the handler's argument from stdin
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true, group = "argument")]
    stdin: Option<String>,

    /// The handler's argument, as JSON [default: {}]
    #[arg(long, value_name = "JSON", group = "argument")]
    arg: Option<String>,

    /// A file with the handler's argument, as JSON; `-` is stdin
    #[arg(long, value_name = "FILE", group = "argument")]
    arg_file: Option<PathBuf>,

    /// Who the script runs for, as JSON or a file with JSON; nobody if it is not said
    #[arg(long, value_name = "JSON|FILE")]
    invoker: Option<String>,

    /// A host that the script may fetch from, beside those of the settings; can be given several times: api.example.com,
    /// *.example.com, localhost:8080, 10.0.0.7, or * for the public internet
    #[arg(long, value_name = "HOST")]
    allow_fetch: Vec<String>,

    /// Load the global scope from its sources: shows that the snapshot holds the same
    #[arg(long, hide = true)]
    without_snapshot: bool,

    #[command(flatten)]
    store: ScriptStoreArgs,
}

impl Run {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let is_typescript = |extension: &std::ffi::OsStr| ["ts", "mts", "cts", "tsx"].iter().any(|ts| extension == *ts);
        if self.script.extension().is_some_and(is_typescript) {
            let path = self.script.display();
            return Err(WrongUse(format!("{path} is TypeScript: compile or bundle it to JavaScript first")).into());
        }
        let script = Script::from_file(&self.script).map_err(|error| WrongUse(error.to_string()))?;
        let mut invocation = Invocation::new(self.argument()?).on_log(|line| output::print_error(&line.text));
        if let Some(invoker) = self.invoker.as_deref().map(invoker::read).transpose()?.flatten() {
            invocation = invocation.invoker(invoker);
        }
        let allowed = FetchPolicy::allow(self.allow_fetch.iter().map(String::as_str))
            .map_err(|error| WrongUse(format!("--allow-fetch {error}")))?;
        let (idp, fetch) = self.store.open(&self.script).await?;
        let allowed = fetch.allowed().or(&allowed);
        let mut runtime = FunctionRuntime::builder(Arc::new(idp)).fetch(fetch.allow(allowed));
        if self.without_snapshot {
            runtime = runtime.without_snapshot();
        }
        let execution = runtime.build().run(&script, invocation).await;
        match execution.result {
            Ok(value) => output::print_json(&value),
            Err(error) => {
                output::print_error(&error.to_string());
                Err(ScriptFailed.into())
            }
        }
    }

    fn argument(&self) -> Result<Value, WrongUse> {
        let (origin, text) = match (&self.arg, &self.arg_file, &self.stdin) {
            (Some(text), _, _) => ("--arg".to_owned(), text.clone()),
            (_, Some(path), _) if path != Path::new("-") => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| WrongUse(format!("cannot read --arg-file {}: {error}", path.display())))?;
                (path.display().to_string(), text)
            }
            (_, None, None) => return Ok(Value::Object(serde_json::Map::new())),
            _ => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| WrongUse(format!("cannot read the argument from stdin: {error}")))?;
                ("stdin".to_owned(), text)
            }
        };
        serde_json::from_str(&text).map_err(|error| WrongUse(format!("{origin} is not JSON: {error}")))
    }
}
