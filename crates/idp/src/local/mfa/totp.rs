//! Time-based one-time passwords (RFC 6238), as authenticator apps make them: SHA-1, 6 digits, 30 seconds.

use chacha20poly1305::aead::Generate;
use secrecy::SecretString;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::model::Timestamp;

/// The length of a secret in bytes, as RFC 4226 recommends: the output length of SHA-1.
pub(super) const SECRET_LEN: usize = 20;

/// The length of a time step in seconds.
const STEP_SECONDS: u64 = 30;

/// The number of time steps before and after the current one whose codes are accepted: clocks differ, and typing takes time
/// (RFC 6238, section 5.2).
const WINDOW: u64 = 1;

/// The secret that codes are computed from. Wiped when dropped.
pub(super) type TotpSecret = Zeroizing<[u8; SECRET_LEN]>;

pub(super) fn new_secret() -> Result<TotpSecret, impl std::error::Error + Send + Sync + 'static> {
    <[u8; SECRET_LEN]>::try_generate().map(Zeroizing::new)
}

fn totp(secret: &TotpSecret) -> Builder {
    // Without skew: the matching step of the window must be known.
    Builder::new().with_step_duration(STEP_SECONDS).with_skew(0).with_secret(Secret::from(&secret[..]))
}

/// The time step of `code`, if it is in the window and later than the last used step.
pub(super) fn matching_step(secret: &TotpSecret, code: &str, now: Timestamp, last: Option<u64>) -> Option<u64> {
    let totp: Totp = totp(secret).build_noncompliant();
    let current = u64::try_from(now.unix_millis()).unwrap_or(0) / 1000 / STEP_SECONDS;
    let mut window = current.saturating_sub(WINDOW)..=current.saturating_add(WINDOW);
    window.find(|step| last.is_none_or(|last| *step > last) && totp.check(code, step * STEP_SECONDS).is_some())
}

/// The secret in base32, for manual entry.
pub(super) fn base32(secret: &TotpSecret) -> SecretString {
    // A text of the exact size: a larger buffer would be reallocated and leave an unwiped copy.
    Zeroizing::new(Secret::from(&secret[..]).to_base32()).as_str().into()
}

/// The URI that apps read from a QR code. The format does not allow colons in the issuer and the account: they become spaces.
pub(super) fn otpauth_uri(
    secret: &TotpSecret,
    issuer: &str,
    account: &str,
) -> Result<SecretString, totp_rs::TotpError> {
    let [issuer, account] = [issuer, account].map(|text| text.replace(':', " "));
    let totp = totp(secret).with_issuer(Some(issuer)).with_account_name(account).build()?;
    Ok(Zeroizing::new(totp.to_url()?).as_str().into())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use secrecy::ExposeSecret;

    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn rfc_secret() -> TotpSecret {
        Zeroizing::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    #[test]
    fn codes_equal_those_of_rfc_6238() {
        // Appendix B has eight digits; six are the last six of them.
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = seconds as u64 / 30;
            assert_eq!(matching_step(&rfc_secret(), &code[2..], at(seconds), None), Some(step), "{seconds}");
        }
    }

    #[test]
    fn codes_are_accepted_one_step_early_and_late() {
        // 287082 is for step 1, the seconds 30 to 59.
        let step = |millis| matching_step(&rfc_secret(), "287082", Timestamp::from_unix_millis(millis), None);
        assert_eq!([0, 29_999, 30_000, 59_999, 60_000, 89_999].map(step), [Some(1); 6]);
        assert_eq!([90_000, 119_999, i64::MAX, -1].map(step)[..3], [None; 3]);
        let late = |millis| matching_step(&rfc_secret(), "081804", Timestamp::from_unix_millis(millis), None);
        let start = 1_111_111_109 / 30 * 30_000;
        assert_eq!(
            [start - 30_001, start - 30_000, start + 59_999, start + 60_000].map(late),
            [None, Some(37_037_036), Some(37_037_036), None]
        );
    }

    #[test]
    fn used_steps_and_earlier_ones_are_rejected() {
        let step = |last| matching_step(&rfc_secret(), "287082", at(59), last);
        assert_eq!([None, Some(0), Some(1), Some(2)].map(step), [Some(1), Some(1), None, None]);
    }

    #[test]
    fn codes_other_than_six_ascii_digits_are_rejected() {
        for code in ["", "28708", "2870820", " 287082", "287 82", "+87082", "２８７０８２", "94287082", "28708\0"]
        {
            assert_eq!(matching_step(&rfc_secret(), code, at(59), None), None, "{code:?}");
        }
    }

    #[test]
    fn otpauth_uri_is_readable_by_authenticator_apps() {
        let uri = |issuer, account| otpauth_uri(&rfc_secret(), issuer, account).unwrap();
        let secret = base32(&rfc_secret());
        assert_eq!(secret.expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            uri("Tailor Platform IdP", "ana@example.com").expose_secret(),
            "otpauth://totp/Tailor%20Platform%20IdP:ana%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tailor%20Platform%20IdP"
        );
        let read = Totp::from_url(uri("a:b", "c:d & 名").expose_secret()).unwrap();
        assert_eq!((read.issuer(), read.account_name()), (Some("a b"), "c d & 名"));
    }

    #[test]
    fn secrets_are_random_and_long_enough() {
        let (one, two) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(*one, *two);
        assert!(totp(&one).build().is_ok(), "as long as RFC 4226 wants it");
    }
}
