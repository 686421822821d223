//! How commands fail: error types, messages and exit codes.

use std::process::ExitCode;

use tailor_idp::idp::{Code, IdpError};
use tailor_idp::settings::SettingsError;

use super::output;

/// The exit code of wrong usage.
pub(super) const USAGE_EXIT_CODE: u8 = 2;
/// The exit code that shells report for SIGINT.
pub(super) const INTERRUPTED_EXIT_CODE: u8 = 130;

/// The caller made a mistake; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// A command that runs until it is interrupted was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// A failure whose message has already been printed.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub(super) struct AlreadyPrinted;

/// Prints why a command failed, unless that has already been printed.
pub(super) fn print(error: &anyhow::Error) {
    if error.is::<AlreadyPrinted>() || error.is::<Interrupted>() {
        return;
    }
    if error.is::<SettingsError>() {
        // One line per fault, each starting with FILE:LINE, which editors recognise.
        return output::print_error(&error.to_string());
    }
    output::note("error", &format!("{error:#}"));
}

pub(super) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Interrupted>() {
        ExitCode::from(INTERRUPTED_EXIT_CODE)
    } else if error.is::<UsageError>() || is_invalid_argument(error) {
        ExitCode::from(USAGE_EXIT_CODE)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether a value of the command line breaks a rule: these commands pass nothing else to the identity provider.
fn is_invalid_argument(error: &anyhow::Error) -> bool {
    error.downcast_ref::<IdpError>().is_some_and(|error| error.code() == Code::InvalidArgument)
}
