//! Password hashing: Argon2id, off the caller's thread, a few at a time.

use std::fmt;
use std::sync::{Arc, OnceLock};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use rayon_core::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, oneshot};

use super::Password;

/// Of a [`HashCost::dummy`]: 16 bytes, as many as a salt of ours has.
const DUMMY_SALT: &str = "bm8gdXNlcnMgc2FsdCEhIQ";
/// Of a [`HashCost::dummy`]: 32 bytes, as many as a hash of ours has.
const DUMMY_OUTPUT: &str = "bm9ib2R5IGtub3dzIHdoYXQgaGFzaGVzIHRvIHRoaXM";

/// The most memory that a stored hash can ask for: the first choice of RFC 9106. More is a mistake, or meant to hurt.
const MAX_STORED_MEMORY_KIB: u32 = 2 * 1024 * 1024;

/// The version of Argon2 that made a hash which names none (0x10: the PHC form had no version then).
const UNNAMED_VERSION: u32 = 0x10;

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

/// What [`HashCost::argon2id`] says of parameters that Argon2 does not take.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Argon2id takes at least 8 KiB and 1 pass: got {memory_kib} KiB and {passes} passes")]
pub struct InvalidHashCost {
    memory_kib: u32,
    passes: u32,
}

impl HashCost {
    /// Argon2id with this much memory, in KiB, and so many passes over it, in one lane.
    ///
    /// # Errors
    ///
    /// Where Argon2 does not take them.
    pub fn argon2id(memory_kib: u32, passes: u32) -> Result<Self, InvalidHashCost> {
        let cost = Self { memory_kib, passes };
        cost.argon2().map(|_| cost).map_err(|_| InvalidHashCost { memory_kib, passes })
    }

    /// A hash that is made in microseconds, and guessed as fast: for tests, and for nothing else.
    pub const fn danger_cheap_for_tests() -> Self {
        Self { memory_kib: Params::MIN_M_COST, passes: 1 }
    }

    /// Whether a hash of this cost would be better than `stored`: of today's kind, with more memory or more work in all.
    fn outdoes(self, stored: &argon2::PasswordHash) -> bool {
        let Ok(params) = Params::try_from(stored) else { return true };
        let todays =
            stored.algorithm.as_str() == Algorithm::Argon2id.as_str() && stored.version == Some(Version::V0x13.into());
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        !todays
            || params.m_cost() < self.memory_kib
            || work(params.m_cost(), params.t_cost()) < work(self.memory_kib, self.passes)
    }

    /// A hash of this cost that no password is known for.
    fn dummy(self) -> String {
        let Self { memory_kib, passes } = self;
        format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${DUMMY_SALT}${DUMMY_OUTPUT}")
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

/// How a password compares with a stored hash.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is another password, or there is no hash.
    Wrong,
    /// It is the password.
    Right {
        /// The same password at today's cost, where the stored hash is below it.
        rehashed: Option<PasswordHash>,
    },
    /// The hash is not one of Argon2's, or not one that can be checked. No password is right.
    Unusable(argon2::password_hash::Error),
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
    #[cfg(test)]
    pub(super) operations: Arc<Operations>,
}

/// How many hashes have been computed, by the memory they took: a measure of work that needs no clock.
#[cfg(test)]
pub(super) type Operations = parking_lot::Mutex<Vec<u32>>;

impl Hasher {
    pub(super) fn new(cost: HashCost) -> Self {
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cost,
            parallelism,
            slots: Semaphore::new(parallelism),
            threads: OnceLock::new(),
            #[cfg(test)]
            operations: Arc::default(),
        }
    }

    /// The Argon2id hash of `password`, with a new salt. Waits for a free thread.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        self.run(password, |bench, password| bench.hash(password)).await
    }

    /// Compares `password` with `stored`, or, at the same cost, with a hash that nothing hashes to. Waits for a free thread.
    pub(super) async fn verify(&self, password: Password, stored: Option<PasswordHash>) -> Result<Verdict, HashError> {
        self.run(password, move |bench, password| bench.verify(password, stored)).await
    }

    /// Does the work on a free thread, and wipes the password.
    async fn run<T: Send + 'static>(
        &self,
        password: Password,
        work: impl FnOnce(&Bench, &[u8]) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let _slot = self.slots.acquire().await.map_err(|_| HashError::Died)?;
        let bench = Bench {
            cost: self.cost,
            argon2: self.cost.argon2()?,
            #[cfg(test)]
            operations: Arc::clone(&self.operations),
        };
        let (done, outcome) = oneshot::channel();
        self.threads()?.spawn(move || {
            let outcome = work(&bench, password.expose_secret().as_bytes());
            drop(password);
            // A caller that has gone away needs no answer.
            let _ = done.send(outcome);
        });
        outcome.await.map_err(|_| HashError::Died)?
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

/// What a hashing thread works with.
struct Bench {
    cost: HashCost,
    argon2: Argon2<'static>,
    #[cfg(test)]
    operations: Arc<Operations>,
}

impl Bench {
    fn hash(&self, password: &[u8]) -> Result<PasswordHash, HashError> {
        #[cfg(test)]
        self.operations.lock().push(self.cost.memory_kib);
        let hash = self.argon2.hash_password(password).map_err(HashError::Hash)?;
        Ok(PasswordHash(hash.to_string()))
    }

    fn verify(&self, password: &[u8], stored: Option<PasswordHash>) -> Result<Verdict, HashError> {
        let Some(stored) = stored else {
            self.compare(password, &self.cost.dummy()).map_err(HashError::Hash)?;
            return Ok(Verdict::Wrong);
        };
        match self.compare(password, stored.as_str()) {
            Ok(None) => Ok(Verdict::Wrong),
            Ok(Some(hash)) => {
                let rehashed = if self.cost.outdoes(&hash) { Some(self.hash(password)?) } else { None };
                Ok(Verdict::Right { rehashed })
            }
            Err(error) => {
                // As much work as for any other user.
                self.compare(password, &self.cost.dummy()).map_err(HashError::Hash)?;
                Ok(Verdict::Unusable(error))
            }
        }
    }

    /// The parsed hash, if it is the password's.
    fn compare(
        &self,
        password: &[u8],
        stored: &str,
    ) -> Result<Option<argon2::PasswordHash>, argon2::password_hash::Error> {
        use argon2::password_hash::Error;
        let mut hash = argon2::PasswordHash::new(stored).map_err(|_| Error::EncodingInvalid)?;
        hash.version = hash.version.or(Some(UNNAMED_VERSION));
        Algorithm::try_from(hash.algorithm.as_str())?;
        let params = Params::try_from(&hash)?;
        if params.m_cost() > MAX_STORED_MEMORY_KIB || hash.salt.is_none() || hash.hash.is_none() {
            return Err(Error::ParamsInvalid);
        }
        let verified = self.argon2.verify_password(password, &hash);
        #[cfg(test)]
        self.operations.lock().push(params.m_cost());
        match verified {
            Ok(()) => Ok(Some(hash)),
            Err(Error::PasswordInvalid) => Ok(None),
            Err(error) => Err(error),
        }
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
