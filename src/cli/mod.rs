//! The command-line program: argument parsing and dispatch.

mod check;
mod copy;
mod db;
mod enrollment;
mod error;
mod events;
mod explain;
mod export;
mod files;
mod import;
mod init;
mod inspect;
mod invoker;
mod mail;
mod mfa_key;
mod online;
mod output;
mod overrides;
mod progress;
mod run;
mod sandbox_status;
mod serve;
mod settings;
mod signal;
mod store;
mod test;
mod transport;
mod user_pages;
mod users;
mod watch;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Environment variable with the log filter, such as `debug` or `tailor_idp=trace`.
const LOG_VARIABLE: &str = "TAILOR_IDP_LOG";
const DEFAULT_LOG: &str = "warn";

#[derive(Parser)]
#[command(
    name = "tailor-idp",
    version = VERSION,
    about = "Runs function scripts that manage users through tailor.idp, over a real user store",
    after_help = "\
Examples:
  tailor-idp run handler.js --arg '{\"email\": \"ana@example.com\"}'
  tailor-idp run handler.js --db users.db
  tailor-idp users list --db users.db
  tailor-idp test handlers

Exit codes: 0 done; 1 what was read or run failed: a script, the settings, an import, the database; 2 wrong use; 130 interrupted.
TAILOR_IDP_LOG=debug shows what the program does."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[cfg(feature = "v8")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (V8)");
#[cfg(not(feature = "v8"))]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (QuickJS, a preview: see docs/engines.md)");

// Each command's help is the doc comment of its struct; a doc comment on the variant would replace it.
#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Test(test::Test),
    Users(users::Users),
    Explain(explain::Explain),
    Events(events::EventsArgs),
    Check(check::Check),
    Db(db::Db),
    Init(init::Init),
    Mail(mail::Mail),
    Serve(serve::Serve),
    SandboxStatus(sandbox_status::SandboxStatus),
    /// Print the TypeScript declarations of what scripts can use
    Types,
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| DEFAULT_LOG.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        output::note("warning", &format!("{LOG_VARIABLE}={filter} is not understood ({error}): taking {DEFAULT_LOG}"));
        EnvFilter::new(DEFAULT_LOG)
    });
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error::print(&error);
            error::exit_code(&error)
        }
    }
}

/// Parses a number of a flag that is at least 1.
fn positive(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("give a whole number from 1 to {}", usize::MAX))
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Run(run) => tokio.block_on(run.execute()),
        Command::Test(test) => tokio.block_on(test.execute()),
        Command::Users(users) => tokio.block_on(users.execute()),
        Command::Explain(explain) => tokio.block_on(explain.execute()),
        Command::Events(events) => tokio.block_on(events.execute()),
        Command::Check(check) => tokio.block_on(check.execute()),
        Command::Db(db) => tokio.block_on(db.execute()),
        Command::Init(init) => init.execute(),
        Command::Mail(mail) => tokio.block_on(mail.execute()),
        Command::Serve(serve) => tokio.block_on(serve.execute()),
        Command::SandboxStatus(status) => status.execute(),
        Command::Types => output::print(tailor_idp::TYPES.trim_end()),
    }
}
