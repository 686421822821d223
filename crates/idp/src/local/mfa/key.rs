//! Encryption of stored MFA secrets with XChaCha20-Poly1305 under a key of the host.
//!
//! A sealed secret is the key's version (1 byte), a random nonce (24), the ciphertext and the tag (16). Namespace, user and
//! factor are authenticated data: a sealed secret that is copied to another row cannot be opened.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::totp::{SECRET_LEN, TotpSecret};

/// The length of an XChaCha20-Poly1305 key in bytes.
const KEY_LEN: usize = 32;
/// The length of a nonce in bytes: long enough to be chosen at random.
const NONCE_LEN: usize = 24;

/// A key that seals MFA secrets in the store. Wiped when dropped, not printed by `Debug`.
///
/// Keys have versions for rotation: the key with the highest version seals, every key opens, and a factor is sealed anew when
/// it is used. An old key is needed until all its factors have been used.
#[derive(Clone)]
pub struct MfaKey {
    version: u8,
    key: Zeroizing<[u8; KEY_LEN]>,
}

/// The error of [`MfaKey::from_base64`]: not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an MFA key is 32 random bytes in base64")]
pub struct InvalidMfaKey;

impl MfaKey {
    /// A key of 32 random bytes.
    pub fn new(version: u8, key: [u8; KEY_LEN]) -> Self {
        Self { version, key: Zeroizing::new(key) }
    }

    /// A key in base64, as printed by `openssl rand -base64 32`. Surrounding white space is ignored.
    ///
    /// # Errors
    ///
    /// [`InvalidMfaKey`] if the text is not 32 bytes in base64.
    pub fn from_base64(version: u8, text: &str) -> Result<Self, InvalidMfaKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| InvalidMfaKey)?);
        let key = bytes.as_slice().try_into().map_err(|_| InvalidMfaKey)?;
        Ok(Self::new(version, key))
    }

    /// A new random key.
    ///
    /// # Errors
    ///
    /// If the operating system provides no random numbers.
    pub fn generate(version: u8) -> std::io::Result<Self> {
        let key = <[u8; KEY_LEN]>::try_generate().map_err(std::io::Error::other)?;
        Ok(Self::new(version, key))
    }

    /// The version, unique among the keys of a router.
    pub fn version(&self) -> u8 {
        self.version
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

impl fmt::Debug for MfaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MfaKey").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The row that a sealed secret belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) user_id: &'a str,
    pub(super) factor_id: &'a str,
}

impl Place<'_> {
    fn bytes(self, version: u8) -> Vec<u8> {
        let mut bytes = vec![version];
        // Each part is prefixed with its length, so that no two places have the same bytes.
        for part in [self.namespace, self.user_id, self.factor_id] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// A failure to seal or open a secret. For the host.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error("no MFA key is set")]
    NoKey,
    #[error("the MFA key of version {0} is not set")]
    MissingKey(u8),
    #[error("the secret of MFA factor {0} does not open: it was sealed with another key, or changed in the store")]
    Refused(String),
    #[error("cannot seal an MFA secret: the system has no random numbers")]
    Random,
}

/// The keys, by version.
#[derive(Debug, Default)]
pub(crate) struct MfaKeys(BTreeMap<u8, MfaKey>);

impl MfaKeys {
    pub(crate) fn add(&mut self, key: MfaKey) {
        self.0.insert(key.version, key);
    }

    fn newest(&self) -> Result<&MfaKey, SealError> {
        self.0.last_key_value().map(|(_, key)| key).ok_or(SealError::NoKey)
    }

    pub(super) fn seal(&self, place: Place<'_>, secret: &TotpSecret) -> Result<Vec<u8>, SealError> {
        let key = self.newest()?;
        let nonce = XNonce::try_generate().map_err(|_| SealError::Random)?;
        let aad = place.bytes(key.version);
        let payload = Payload { msg: &secret[..], aad: &aad };
        // Fails only for gigabytes of text.
        let ciphertext = key.cipher().encrypt(&nonce, payload).map_err(|_| SealError::Random)?;
        let mut sealed = vec![key.version];
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<TotpSecret, SealError> {
        let refused = || SealError::Refused(place.factor_id.to_owned());
        let (&version, rest) = sealed.split_first().ok_or_else(refused)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let key = self.0.get(&version).ok_or(SealError::MissingKey(version))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| refused())?;
        let payload = Payload { msg: ciphertext, aad: &place.bytes(version) };
        let secret = Zeroizing::new(key.cipher().decrypt(&nonce, payload).map_err(|_| refused())?);
        let secret: [u8; SECRET_LEN] = secret.as_slice().try_into().map_err(|_| refused())?;
        Ok(TotpSecret::new(secret))
    }

    /// The secret sealed with the newest key, if it was sealed with an older one.
    pub(super) fn reseal(
        &self,
        place: Place<'_>,
        sealed: &[u8],
        secret: &TotpSecret,
    ) -> Result<Option<Vec<u8>>, SealError> {
        if sealed.first() == Some(&self.newest()?.version) { Ok(None) } else { self.seal(place, secret).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const PLACE: Place<'_> = Place { namespace: "home", user_id: "ana", factor_id: "phone" };

    fn keys(keys: impl IntoIterator<Item = (u8, u8)>) -> MfaKeys {
        let mut all = MfaKeys::default();
        keys.into_iter().for_each(|(version, byte)| all.add(MfaKey::new(version, [byte; KEY_LEN])));
        all
    }

    fn secret() -> TotpSecret {
        TotpSecret::new(*b"12345678901234567890")
    }

    #[test]
    fn sealed_secrets_open_and_hide_the_plaintext() {
        let keys = keys([(1, 7)]);
        let sealed = keys.seal(PLACE, &secret()).unwrap();
        assert_eq!((sealed.len(), sealed[0]), (1 + 24 + 20 + 16, 1));
        assert_eq!(*keys.open(PLACE, &sealed).unwrap(), *secret());
        assert!(!sealed.windows(4).any(|bytes| secret().windows(4).any(|plain| plain == bytes)));
        assert_ne!(sealed, keys.seal(PLACE, &secret()).unwrap(), "each time with another nonce");
    }

    #[test]
    fn sealed_secrets_open_only_in_their_own_row() {
        let keys = keys([(1, 7)]);
        let sealed = keys.seal(PLACE, &secret()).unwrap();
        for place in [
            Place { namespace: "away", ..PLACE },
            Place { user_id: "bo", ..PLACE },
            Place { factor_id: "tablet", ..PLACE },
            Place { namespace: "homea", user_id: "na", ..PLACE },
            Place { user_id: "anap", factor_id: "hone", ..PLACE },
        ] {
            assert!(matches!(keys.open(place, &sealed), Err(SealError::Refused(_))), "{place:?}");
        }
    }

    #[test]
    fn tampered_secrets_are_rejected() {
        // Under every version the same key: only the version's own bits can tell it from another.
        let keys = keys((0..=255).map(|version| (version, 7)));
        let sealed = keys.seal(PLACE, &secret()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(keys.open(PLACE, &forged), Err(SealError::Refused(_))), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(matches!(keys.open(PLACE, &sealed[..length]), Err(SealError::Refused(_))), "{length} bytes");
        }
    }

    #[test]
    fn keys_of_the_same_version_do_not_open_each_others_secrets() {
        let sealed = keys([(1, 7)]).seal(PLACE, &secret()).unwrap();
        assert!(matches!(keys([(1, 8)]).open(PLACE, &sealed), Err(SealError::Refused(_))));
        assert!(matches!(keys([(2, 7)]).open(PLACE, &sealed), Err(SealError::MissingKey(1))));
        assert!(matches!(keys([]).open(PLACE, &sealed), Err(SealError::MissingKey(1))));
        assert!(matches!(keys([]).seal(PLACE, &secret()), Err(SealError::NoKey)));
    }

    #[test]
    fn newest_key_seals_and_older_keys_open() {
        let old = keys([(1, 7)]);
        let both = keys([(2, 8), (1, 7)]);
        let sealed = old.seal(PLACE, &secret()).unwrap();
        assert_eq!(*both.open(PLACE, &sealed).unwrap(), *secret());
        let anew = both.reseal(PLACE, &sealed, &secret()).unwrap().unwrap();
        assert_eq!(*keys([(2, 8)]).open(PLACE, &anew).unwrap(), *secret());
        assert_eq!(both.reseal(PLACE, &anew, &secret()).unwrap(), None, "already done");
    }

    #[test]
    fn keys_are_read_from_base64_and_not_printed() {
        let text = format!(" {}\n", STANDARD.encode([7; KEY_LEN]));
        let key = MfaKey::from_base64(3, &text).unwrap();
        assert_eq!((key.version(), *key.key), (3, [7; KEY_LEN]));
        assert_eq!(format!("{key:?}"), "MfaKey { version: 3, .. }");
        for text in ["", "AAAA", "not base64!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33])] {
            assert_eq!(MfaKey::from_base64(1, text).unwrap_err(), InvalidMfaKey, "{text:?}");
        }
    }
}
