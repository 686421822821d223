//! Signatures of webhook requests: signing, and verification by receivers.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::model::Timestamp;

/// The name of the signature header. Its value is `t=<seconds since 1970>,v1=<hex>`, with one `v1` per secret during rotation.
pub const SIGNATURE_HEADER: &str = "Tailor-Idp-Signature";

/// The recommended maximum age of a request for a receiver: enough for clocks that differ, little for replays.
pub const SIGNATURE_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The reason to reject a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is malformed.
    #[error("the signature is not of the form t=<seconds>,v1=<hex>")]
    Malformed,
    /// The request is too old, or its time is in the future.
    #[error("the signature is {seconds} s off: at most {} s are allowed", tolerance.as_secs())]
    Stale {
        /// The difference from now in seconds.
        seconds: u64,
        /// The allowed difference.
        tolerance: Duration,
    },
    /// None of the signatures was made with one of the secrets.
    #[error("the signature was not made with the secret, or the body has changed since")]
    Mismatch,
}

/// The header value for a body that is sent at `now`, signed with each of the secrets.
pub fn sign(secrets: &[SecretString], body: &[u8], now: Timestamp) -> String {
    let seconds = now.unix_millis().div_euclid(1000).to_string();
    let mut value = format!("t={seconds}");
    for secret in secrets {
        value.push_str(",v1=");
        value.push_str(&base16ct::lower::encode_string(&mac(secret, &seconds, body).finalize().into_bytes()));
    }
    value
}

/// Verifies a header value as a receiver: one of the secrets signed this body, within `tolerance` of `now`.
///
/// Pass the body as received, byte for byte, before parsing it.
///
/// ```
/// use secrecy::SecretString;
/// use tailor_idp_core::events::{SIGNATURE_TOLERANCE, sign, verify};
/// use tailor_idp_core::Timestamp;
///
/// let (secrets, body) = ([SecretString::from("a secret of the host's")], br#"{"type":"idp.user.created"}"#);
/// let now = Timestamp::from_unix_millis(1_760_000_000_000);
/// let header = sign(&secrets, body, now);
/// assert_eq!(verify(&secrets, &header, body, now, SIGNATURE_TOLERANCE), Ok(()));
/// assert!(verify(&secrets, &header, b"{}", now, SIGNATURE_TOLERANCE).is_err());
/// ```
///
/// # Errors
///
/// [`SignatureError`]: reject the request.
pub fn verify(
    secrets: &[SecretString],
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=').ok_or(SignatureError::Malformed)? {
            ("t", _) if time.is_some() => return Err(SignatureError::Malformed),
            ("t", seconds) => time = Some(seconds),
            ("v1", hex) => signatures.push(decode(hex)?),
            // Fields of later versions.
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    let signed_at: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let signed_by = |secret: &SecretString, signature: &[u8]| mac(secret, time, body).verify_slice(signature).is_ok();
    if !secrets.iter().any(|secret| signatures.iter().any(|signature| signed_by(secret, signature))) {
        return Err(SignatureError::Mismatch);
    }
    let seconds = now.unix_millis().div_euclid(1000).abs_diff(signed_at);
    if seconds > tolerance.as_secs() { Err(SignatureError::Stale { seconds, tolerance }) } else { Ok(()) }
}

fn decode(hex: &str) -> Result<Vec<u8>, SignatureError> {
    match base16ct::mixed::decode_vec(hex) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(SignatureError::Malformed),
    }
}

fn mac(secret: &SecretString, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const BODY: &[u8] = br#"{"id":"1"}"#;
    const NOW: Timestamp = Timestamp::from_unix_millis(1_760_000_000_123);

    fn secrets(secrets: &[&str]) -> Vec<SecretString> {
        secrets.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    fn verified(with: &[&str], header: &str, body: &[u8], now: i64) -> Result<(), SignatureError> {
        verify(&secrets(with), header, body, Timestamp::from_unix_millis(now), SIGNATURE_TOLERANCE)
    }

    #[test]
    fn signatures_equal_those_of_openssl() {
        // printf '1760000000.{"id":"1"}' | openssl dgst -sha256 -hmac 'a secret of the host'
        let expected = "t=1760000000,v1=caf6462b116f13802bd2d60aad91ff2a6396a911222de03afeb54b312e8b78f4";
        assert_eq!(sign(&secrets(&["a secret of the host"]), BODY, NOW), expected);
    }

    #[test]
    fn both_secrets_verify_during_rotation() {
        let both = sign(&secrets(&["the new one", "the old one"]), BODY, NOW);
        assert_eq!(verified(&["the old one"], &both, BODY, 1_760_000_000_000), Ok(()));
        assert_eq!(verified(&["the new one"], &both, BODY, 1_760_000_000_000), Ok(()));
        let old = sign(&secrets(&["the old one"]), BODY, NOW);
        assert_eq!(verified(&["the new one", "the old one"], &old, BODY, 1_760_000_000_000), Ok(()));
        assert_eq!(verified(&["another"], &both, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
        assert_eq!(verified(&[], &both, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn changed_bodies_and_times_are_rejected() {
        let header = sign(&secrets(&["secret"]), BODY, NOW);
        assert_eq!(verified(&["secret"], &header, b"{\"id\":\"2\"}", 1_760_000_000_000), Err(SignatureError::Mismatch));
        let later = header.replace("t=1760000000", "t=1760000001");
        assert_eq!(verified(&["secret"], &later, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn old_and_future_requests_are_rejected() {
        let header = sign(&secrets(&["secret"]), BODY, NOW);
        let stale = Err(SignatureError::Stale { seconds: 301, tolerance: SIGNATURE_TOLERANCE });
        assert_eq!(verified(&["secret"], &header, BODY, 1_760_000_300_999), Ok(()));
        assert_eq!(verified(&["secret"], &header, BODY, 1_760_000_301_000), stale);
        assert_eq!(verified(&["secret"], &header, BODY, 1_759_999_699_000), stale);
    }

    #[test]
    fn malformed_headers_are_rejected() {
        let good = sign(&secrets(&["secret"]), BODY, NOW);
        let signature = good.split_once(',').unwrap().1;
        for header in [
            "",
            "t",
            "t=1760000000",
            signature,
            &format!("t=soon,{signature}"),
            &format!("t=1760000000,t=1760000000,{signature}"),
            "t=1760000000,v1=",
            "t=1760000000,v1=abc",
            "t=1760000000,v1=zz",
            "t=1760000000,v1=é",
        ] {
            assert_eq!(
                verified(&["secret"], header, BODY, 1_760_000_000_000),
                Err(SignatureError::Malformed),
                "{header:?}"
            );
        }
        assert_eq!(verified(&["secret"], &format!("{good},v2=later"), BODY, 1_760_000_000_000), Ok(()));
    }
}
