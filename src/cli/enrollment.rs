//! `tailor-idp users enroll-mfa`: enrols a factor without an authenticator app, for tests of scripts.

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;
use tailor_idp::idp::{Clock, Enrollment, MfaKey, Router, SystemClock, User};
use tailor_idp::settings::MFA_KEY_VERSION;
use totp_rs::Totp;

use super::{mfa_key, output};

#[derive(Args)]
pub(super) struct EnrollMfa {
    /// The id or the name
    pub(super) user: String,

    /// A file with the host's MFA key, 32 random bytes in base64 [default: that of the settings, else a random key that is not kept]
    #[arg(long, value_name = "FILE")]
    mfa_key_file: Option<PathBuf>,
}

impl EnrollMfa {
    /// The key that encrypts the new factor's secret: that of the flag, else of the settings, else a generated one.
    pub(super) fn key(&self, settings: impl FnOnce() -> anyhow::Result<Option<MfaKey>>) -> anyhow::Result<MfaKey> {
        if let Some(path) = &self.mfa_key_file {
            return Ok(mfa_key::from_file(path)?);
        }
        match settings()? {
            Some(key) => Ok(key),
            None => {
                output::note(
                    "note",
                    "the secret is encrypted with a random key that is not kept, so no host can verify codes of the factor; --mfa-key-file FILE gives the host's key",
                );
                Ok(MfaKey::generate(MFA_KEY_VERSION)?)
            }
        }
    }
}

/// Enrols a factor and confirms it at once.
pub(super) async fn enroll(idp: &Router, namespace: &str, user: &User, json: bool) -> anyhow::Result<()> {
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
