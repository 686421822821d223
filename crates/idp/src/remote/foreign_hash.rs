//! Password hashes in the forms that services take.
//!
//! Of the kinds that a store can hold, only those are carried whose form a service describes beyond doubt: a hash that it misreads
//! would lock the user out.

use argon2::password_hash::phc;

use crate::model::PasswordHash;

/// The version of Argon2 that services compute.
const ARGON2_VERSION: u32 = 0x13;

/// The kinds of [`ForeignHash`], for people.
pub(super) const KINDS: &str = "bcrypt and Argon2id";

/// A hash that services take.
pub(super) enum ForeignHash<'a> {
    /// `$2b$…`, and the prefixes `$2a$` and `$2y$`.
    Bcrypt(&'a str),
    /// A PHC string of Argon2id.
    Argon2id(Argon2id<'a>),
}

/// The parts of an Argon2id hash.
pub(super) struct Argon2id<'a> {
    pub(super) phc: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl<'a> ForeignHash<'a> {
    /// The hash, if it is of a kind that services take.
    pub(super) fn of(hash: &'a PasswordHash) -> Option<Self> {
        let text = hash.as_str();
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return Some(Self::Bcrypt(text));
        }
        let parsed = phc::PasswordHash::new(text).ok()?;
        if parsed.algorithm.as_str() != "argon2id" || parsed.version != Some(ARGON2_VERSION) {
            return None;
        }
        let number = |name| parsed.params.get_decimal(name);
        Some(Self::Argon2id(Argon2id {
            phc: text,
            memory_kib: number("m")?,
            passes: number("t")?,
            lanes: number("p")?,
            salt: parsed.salt?.to_vec(),
            hash: parsed.hash?.as_bytes().to_vec(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn argon2id_hashes_have_their_parts() {
        let hash = PasswordHash::from_phc(OWN).unwrap();
        let Some(ForeignHash::Argon2id(parts)) = ForeignHash::of(&hash) else { panic!("not taken") };
        assert_eq!((parts.memory_kib, parts.passes, parts.lanes), (19456, 2, 1));
        assert_eq!((&*parts.salt, parts.hash.len(), parts.phc), (&b"some salt of ours"[..], 32, OWN));
    }

    #[test]
    fn only_bcrypt_and_argon2id_are_carried() {
        let is_taken = |text: &str| ForeignHash::of(&PasswordHash::from_phc(text).unwrap()).is_some();
        assert!(is_taken("$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"));
        assert!(!is_taken(&OWN.replace("argon2id", "argon2i")));
        assert!(!is_taken(&OWN.replace("v=19", "v=16")));
        assert!(!is_taken("$scrypt$ln=14,r=8,p=1$c29kaXVtIGNobG9yaWRlIQ$bmFjbG5hY2xuYWNsbmFjbA"));
    }
}
