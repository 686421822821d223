//! The key that encrypts MFA secrets, from an environment variable or a file.

use std::path::Path;

use anyhow::Context;
use secrecy::ExposeSecret;
use tailor_idp::idp::MfaKey;
use tailor_idp::settings::{MFA_KEY_VERSION, SecretVariable};

use super::error::UsageError;

/// Reads the key, in base64, from an environment variable that the settings name.
pub(super) fn from_variable(variable: &SecretVariable) -> anyhow::Result<MfaKey> {
    let text = variable.read()?;
    MfaKey::from_base64(MFA_KEY_VERSION, text.expose_secret())
        .with_context(|| format!("{} ({})", variable.variable(), variable.key()))
}

/// Reads the key, in base64, from the file given with `--mfa-key-file`.
pub(super) fn from_file(path: &Path) -> Result<MfaKey, UsageError> {
    let usage_error = |error: &dyn std::fmt::Display| UsageError(format!("--mfa-key-file {}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|error| usage_error(&error))?;
    MfaKey::from_base64(MFA_KEY_VERSION, &text).map_err(|error| usage_error(&error))
}
