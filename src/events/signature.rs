//! The signature of a webhook's request: how it is made, and how a receiver verifies it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::idp::Timestamp;

/// The header with the signature: `t=<seconds since 1970>,v1=<hex>`, with a `v1` for each secret while secrets change.
pub const SIGNATURE_HEADER: &str = "Tailor-Idp-Signature";

/// How old, or how far ahead, a request may be for a receiver: leaves room for clocks that differ, and little to one who
/// recorded a request and sends it again.
pub const SIGNATURE_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Why a request is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the form.
    #[error("the signature is not of the form t=<seconds>,v1=<hex>")]
    Malformed,
    /// The request is too old, or from the future.
    #[error("the signature is {seconds} s off: at most {} s are allowed", tolerance.as_secs())]
    Stale {
        /// How far from now.
        seconds: u64,
        /// How far is allowed.
        tolerance: Duration,
    },
    /// No secret made any of its signatures.
    #[error("the signature was not made with the secret, or the body has changed since")]
    Mismatch,
}

/// The header's value for a body that is sent at `now`: signed with each of the secrets.
pub fn sign(secrets: &[SecretString], body: &[u8], now: Timestamp) -> String {
    let seconds = now.unix_millis().div_euclid(1000).to_string();
    let mut value = format!("t={seconds}");
    for secret in secrets {
        value.push_str(",v1=");
        for byte in mac(secret, &seconds, body).finalize().into_bytes() {
            value.push_str(&format!("{byte:02x}"));
        }
    }
    value
}

/// Verifies the header's value, on the receiver's side: whether one of the secrets signed this body, and lately.
///
/// The body is to be taken as it came, byte for byte, before anything parses it.
///
/// ```
/// use secrecy::SecretString;
/// use tailor_idp::events::{SIGNATURE_TOLERANCE, sign, verify};
/// use tailor_idp::idp::Timestamp;
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
/// [`SignatureError`]: the request is to be refused.
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
            ("v1", hex) => signatures.push(from_hex(hex).ok_or(SignatureError::Malformed)?),
            // What a later version adds.
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

fn mac(secret: &SecretString, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = hex.as_bytes().chunks_exact(2);
    if hex.is_empty() || !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
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
    fn the_signature_is_what_openssl_computes() {
        // printf '1760000000.{"id":"1"}' | openssl dgst -sha256 -hmac 'a secret of the host'
        let expected = "t=1760000000,v1=caf6462b116f13802bd2d60aad91ff2a6396a911222de03afeb54b312e8b78f4";
        assert_eq!(sign(&secrets(&["a secret of the host"]), BODY, NOW), expected);
    }

    #[test]
    fn either_secret_verifies_while_secrets_change() {
        let both = sign(&secrets(&["the new one", "the old one"]), BODY, NOW);
        assert_eq!(verified(&["the old one"], &both, BODY, 1_760_000_000_000), Ok(()));
        assert_eq!(verified(&["the new one"], &both, BODY, 1_760_000_000_000), Ok(()));
        let old = sign(&secrets(&["the old one"]), BODY, NOW);
        assert_eq!(verified(&["the new one", "the old one"], &old, BODY, 1_760_000_000_000), Ok(()));
        assert_eq!(verified(&["another"], &both, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
        assert_eq!(verified(&[], &both, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_changed_body_or_time_does_not_verify() {
        let header = sign(&secrets(&["secret"]), BODY, NOW);
        assert_eq!(verified(&["secret"], &header, b"{\"id\":\"2\"}", 1_760_000_000_000), Err(SignatureError::Mismatch));
        let later = header.replace("t=1760000000", "t=1760000001");
        assert_eq!(verified(&["secret"], &later, BODY, 1_760_000_000_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn an_old_request_and_one_from_the_future_do_not_verify() {
        let header = sign(&secrets(&["secret"]), BODY, NOW);
        let stale = Err(SignatureError::Stale { seconds: 301, tolerance: SIGNATURE_TOLERANCE });
        assert_eq!(verified(&["secret"], &header, BODY, 1_760_000_300_999), Ok(()));
        assert_eq!(verified(&["secret"], &header, BODY, 1_760_000_301_000), stale);
        assert_eq!(verified(&["secret"], &header, BODY, 1_759_999_699_000), stale);
    }

    #[test]
    fn a_malformed_header_is_refused() {
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
