//! Password hashing: Argon2id, off the caller's thread, a few at a time.

use std::fmt;
use std::sync::{Arc, OnceLock};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use rayon_core::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, oneshot};

use super::Password;

/// What one hash costs.
///
/// The default is OWASP's first choice for Argon2id: 19 MiB, 2 passes, 1 lane
/// (OWASP Password Storage Cheat Sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    memory_kib: u32,
    passes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl HashCost {
    /// A hash that is made in microseconds, and guessed as fast: for tests, and for nothing else.
    pub const fn danger_cheap_for_tests() -> Self {
        Self { memory_kib: Params::MIN_M_COST, passes: 1 }
    }

    fn argon2(self) -> Result<Argon2<'static>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.passes, 1, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// A PHC string: what a store keeps of a password. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// What [`PasswordHash::from_phc`] says of a text that is no PHC string.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not a password hash in PHC form")]
pub struct InvalidPasswordHash;

impl PasswordHash {
    /// A hash that a store has kept, or another program has made.
    ///
    /// # Errors
    ///
    /// Where the text is no PHC string.
    pub fn from_phc(phc: impl Into<String>) -> Result<Self, InvalidPasswordHash> {
        let phc = phc.into();
        match argon2::PasswordHash::new(&phc) {
            Ok(_) => Ok(Self(phc)),
            Err(_) => Err(InvalidPasswordHash),
        }
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

/// Why a password could not be hashed: the machine's fault, never the password's.
#[derive(Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error("cannot start the password hashing threads")]
    Threads(#[from] ThreadPoolBuildError),
    #[error("the password hashing parameters are refused")]
    Parameters(#[from] argon2::Error),
    #[error("cannot hash the password: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the password hashing thread died")]
    Died,
}

/// Hashes passwords on threads of its own, at most one a core at once: a hash fills 19 MiB and a core for tens of
/// milliseconds, and more of them at once would only slow each other down.
#[derive(Debug)]
pub(super) struct Hasher {
    cost: HashCost,
    parallelism: usize,
    slots: Semaphore,
    // Started by the first hash: most processes never make one.
    threads: OnceLock<ThreadPool>,
}

impl Hasher {
    pub(super) fn new(cost: HashCost) -> Self {
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cost, parallelism, slots: Semaphore::new(parallelism), threads: OnceLock::new() }
    }

    /// The Argon2id hash of `password`, with a new salt. Waits for a free thread.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        let _slot = self.slots.acquire().await.map_err(|_| HashError::Died)?;
        let argon2 = self.cost.argon2()?;
        let (done, hash) = oneshot::channel();
        self.threads()?.spawn(move || {
            let hash = argon2.hash_password(password.expose_secret().as_bytes());
            drop(password);
            // A caller that has gone away needs no hash.
            let _ = done.send(hash.map(|phc| PasswordHash(phc.to_string())).map_err(HashError::Hash));
        });
        hash.await.map_err(|_| HashError::Died)?
    }

    fn threads(&self) -> Result<&ThreadPool, HashError> {
        if self.threads.get().is_none() {
            let name = |index| format!("tailor-idp-hash-{index}");
            let pool = ThreadPoolBuilder::new().num_threads(self.parallelism).thread_name(name).build()?;
            // Two first hashes at once: the second pool is dropped again.
            let _ = self.threads.set(pool);
        }
        self.threads.get().ok_or(HashError::Died)
    }
}

/// A hasher that many namespaces share.
pub(super) type SharedHasher = Arc<Hasher>;

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[tokio::test]
    async fn the_default_hash_is_argon2id_at_the_cost_that_owasp_names() {
        let hash = Hasher::new(HashCost::default()).hash("correct horse".into()).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(Argon2::default().verify_password(b"correct horse", hash.as_str()).is_ok());
        assert!(Argon2::default().verify_password(b"battery staple", hash.as_str()).is_err());
    }

    #[tokio::test]
    async fn one_password_hashed_twice_gives_two_hashes() {
        let hasher = Hasher::new(HashCost::danger_cheap_for_tests());
        let (one, two) = tokio::join!(hasher.hash("same".into()), hasher.hash("same".into()));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    #[test]
    fn neither_a_password_nor_a_hash_is_printed() {
        let password: Password = "hunter2".into();
        let hash = PasswordHash("$argon2id$…".to_owned());
        let input = crate::idp::CreateUser { password: Some(password), ..Default::default() };
        let printed = format!("{input:?} {hash:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("argon2id"), "{printed}");
    }
}
