//! The command line: what it takes, and how a command ends.

mod check;
mod enrollment;
mod events;
mod explain;
mod import;
mod init;
mod inspect;
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
mod watch;

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

// Their help is the structs': a line here would take its place.
#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Test(test::Test),
    Users(users::Users),
    Explain(explain::Explain),
    Events(events::EventsArgs),
    Check(check::Check),
    Init(init::Init),
    Mail(mail::Mail),
    Serve(serve::Serve),
    /// Print the TypeScript declarations of what scripts can use
    Types,
}

/// The caller's mistake rather than a failure: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUse(String);

/// The end of a program that runs until it is interrupted: what a shell makes of SIGINT.
const INTERRUPTED: u8 = 130;

/// Somebody has interrupted what would go on.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted;

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
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            print_failure(&error);
            if error.is::<WrongUse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Says what has failed, if that has not been said.
fn print_failure(error: &anyhow::Error) {
    if error.is::<ScriptFailed>() || error.is::<test::CasesFailed>() {
        return;
    }
    if error.is::<SettingsError>() {
        // A line a fault, each in the form that editors find their way by.
        return output::print_error(&error.to_string());
    }
    output::note("error", &format!("{error:#}"));
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
