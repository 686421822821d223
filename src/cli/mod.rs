//! The command line: what it takes, and how a command ends.

mod mail;
mod output;
mod run;
mod serve;
mod store;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Sets what is logged, such as `debug` or `tailor_idp=trace`.
const LOG_VARIABLE: &str = "TAILOR_IDP_LOG";

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

Exit codes: 0 done, 1 failed, 2 wrong use. TAILOR_IDP_LOG=debug shows what the program does."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[cfg(feature = "v8")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (V8)");
#[cfg(not(feature = "v8"))]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (QuickJS, a preview: see docs/engines.md)");

#[derive(Subcommand)]
enum Command {
    /// Run a handler once and print what it returns
    Run(run::Run),
    /// Look into a store, or change it, from outside a script
    Users(users::Users),
    /// Look into the outbox of password-reset mails, and send what is due
    Mail(mail::Mail),
    /// Serve the page behind password-reset links, and send the mails
    Serve(serve::Serve),
    /// Print the TypeScript declarations of what scripts can use
    Types,
}

/// The caller's mistake rather than a failure: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUse(String);

/// The script's failure, which has been printed as the script's.
#[derive(Debug, thiserror::Error)]
#[error("the script failed")]
struct ScriptFailed;

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn")))
        .init();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ScriptFailed>() => ExitCode::FAILURE,
        Err(error) => {
            output::note("error", &format!("{error:#}"));
            if error.is::<WrongUse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Run(run) => tokio.block_on(run.execute()),
        Command::Users(users) => tokio.block_on(users.execute()),
        Command::Mail(mail) => tokio.block_on(mail.execute()),
        Command::Serve(serve) => tokio.block_on(serve.execute()),
        Command::Types => output::print(tailor_idp::TYPES.trim_end()),
    }
}
