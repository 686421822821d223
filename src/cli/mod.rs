//! The command line: what it takes, and how a command ends.

mod check;
mod enrollment;
mod events;
mod explain;
mod init;
mod invoker;
mod mail;
mod output;
mod run;
mod serve;
mod signal;
mod stand_ins;
mod store;
mod test;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tailor_idp::settings::SettingsError;
use tracing_subscriber::EnvFilter;

/// Sets what is logged, such as `debug` or `tailor_idp=trace`.
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

Exit codes: 0 done, 1 the script or the database failed, 2 wrong use. TAILOR_IDP_LOG=debug shows what the program does."
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
    // Its help is the struct's: a line here would take its place.
    Test(test::Test),
    /// Look into a store, or change it, from outside a script
    Users(users::Users),
    /// Say whether a permission allows an operation, and which policy decides
    Explain(explain::Explain),
    /// Look into the events of users' changes, and deliver them
    Events(events::EventsArgs),
    /// Check a settings file and print what it allows
    Check(check::Check),
    /// Write a start: settings, a handler, and a golden test for it
    Init(init::Init),
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
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| DEFAULT_LOG.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        output::note("warning", &format!("{LOG_VARIABLE}={filter} is not understood ({error}): taking {DEFAULT_LOG}"));
        EnvFilter::new(DEFAULT_LOG)
    });
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ScriptFailed>() || error.is::<test::CasesFailed>() => ExitCode::FAILURE,
        Err(error) if error.is::<SettingsError>() => {
            // A line a fault, each in the form that editors find their way by.
            output::print_error(&error.to_string());
            ExitCode::FAILURE
        }
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
        Command::Test(test) => tokio.block_on(test.execute()),
        Command::Users(users) => tokio.block_on(users.execute()),
        Command::Explain(explain) => tokio.block_on(explain.execute()),
        Command::Events(events) => tokio.block_on(events.execute()),
        Command::Check(check) => check.execute(),
        Command::Init(init) => init.execute(),
        Command::Mail(mail) => tokio.block_on(mail.execute()),
        Command::Serve(serve) => tokio.block_on(serve.execute()),
        Command::Types => output::print(tailor_idp::TYPES.trim_end()),
    }
}
