//! Enrolling a factor without a person and an app: for the tests of scripts.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;
use tailor_idp::idp::{Clock, Enrollment, Idp, MfaKey, SystemClock, User};
use totp_rs::Totp;

use super::{WrongUse, output};

/// The version of a key that is given by itself.
pub(super) const KEY_VERSION: u8 = 1;

#[derive(Args)]
pub(super) struct EnrollMfa {
    /// The id or the name
    pub(super) user: String,

    /// A file with the host's MFA key, 32 random bytes in base64 [default: that of the settings, else one that is thrown away]
    #[arg(long, value_name = "FILE")]
    mfa_key_file: Option<PathBuf>,
}

impl EnrollMfa {
    /// The key that seals the new factor's secret.
    pub(super) fn key(&self, set: impl FnOnce() -> anyhow::Result<Option<MfaKey>>) -> anyhow::Result<MfaKey> {
        if let Some(path) = &self.mfa_key_file {
            return Ok(read_key(path)?);
        }
        match set()? {
            Some(key) => Ok(key),
            None => {
                output::note(
                    "note",
                    "the secret is sealed with a key that is thrown away: no host can verify codes of the factor; --mfa-key-file FILE gives the host's",
                );
                Ok(MfaKey::generate(KEY_VERSION)?)
            }
        }
    }
}

fn read_key(path: &Path) -> Result<MfaKey, WrongUse> {
    let wrong = |error: &dyn std::fmt::Display| WrongUse(format!("--mfa-key-file {}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|error| wrong(&error))?;
    MfaKey::from_base64(KEY_VERSION, &text).map_err(|error| wrong(&error))
}

/// Enrols a factor, and confirms it at once.
pub(super) async fn enroll(idp: &Idp, namespace: &str, user: &User, json: bool) -> anyhow::Result<()> {
    let enrollment = idp.begin_mfa_enrollment(namespace, &user.id).await?;
    let Enrollment { factor_id, secret, otpauth_uri, .. } = &enrollment;
    let app = Totp::from_url(otpauth_uri.expose_secret())?;
    let seconds = SystemClock.now().unix_millis().unsigned_abs() / 1000;
    let code = app.generate(seconds).to_string();
    anyhow::ensure!(
        idp.confirm_mfa_enrollment(namespace, &user.id, factor_id, &code).await?,
        "the new factor does not take its own code"
    );
    output::note("note", "confirmed with a code that this program computed itself");
    if json {
        output::print_json(&json!({
            "mfaFactorId": factor_id,
            "secret": secret.expose_secret(),
            "otpauthUri": otpauth_uri.expose_secret(),
        }))
    } else {
        output::print(factor_id)
    }
}
