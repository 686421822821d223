//! Password hashing with Argon2id, on dedicated threads.

#[cfg(test)]
use std::sync::Arc;
use std::sync::OnceLock;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use rayon_core::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, oneshot};

use crate::model::{Password, PasswordHash};

/// The salt of a [`HashCost::dummy`]: 16 bytes, the length of a real salt.
const DUMMY_SALT: &str = "bm8gdXNlcnMgc2FsdCEhIQ";
/// The output of a [`HashCost::dummy`]: 32 bytes, the length of a real output.
const DUMMY_OUTPUT: &str = "bm9ib2R5IGtub3dzIHdoYXQgaGFzaGVzIHRvIHRoaXM";

/// The maximum memory of a stored hash, the first recommendation of RFC 9106. A hash above it is not verified: it could exhaust
/// the host's memory.
const MAX_STORED_MEMORY_KIB: u32 = 2 * 1024 * 1024;

/// The version of Argon2 hashes without a version: the PHC form did not have one then.
const UNNAMED_VERSION: u32 = 0x10;

/// The cost of a password hash.
///
/// The default is OWASP's first recommendation for Argon2id: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
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

/// The error of [`HashCost::argon2id`]: invalid parameters.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Argon2id takes at least 8 KiB and 1 pass: got {memory_kib} KiB and {passes} passes")]
pub struct InvalidHashCost {
    memory_kib: u32,
    passes: u32,
}

impl HashCost {
    /// Argon2id with the given memory in KiB and number of passes, in one lane.
    ///
    /// # Errors
    ///
    /// [`InvalidHashCost`] if Argon2 does not accept the parameters.
    pub fn argon2id(memory_kib: u32, passes: u32) -> Result<Self, InvalidHashCost> {
        let cost = Self { memory_kib, passes };
        cost.argon2().map(|_| cost).map_err(|_| InvalidHashCost { memory_kib, passes })
    }

    /// A cost for tests only: hashes are computed, and guessed, in microseconds.
    pub const fn danger_cheap_for_tests() -> Self {
        Self { memory_kib: Params::MIN_M_COST, passes: 1 }
    }

    /// Whether a hash of this cost is stronger than `stored`: the current algorithm and version, more memory or more total work.
    fn outdoes(self, stored: &argon2::PasswordHash) -> bool {
        let Ok(params) = Params::try_from(stored) else { return true };
        let todays =
            stored.algorithm.as_str() == Algorithm::Argon2id.as_str() && stored.version == Some(Version::V0x13.into());
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        !todays
            || params.m_cost() < self.memory_kib
            || work(params.m_cost(), params.t_cost()) < work(self.memory_kib, self.passes)
    }

    /// A hash of this cost that no known password matches.
    fn dummy(self) -> String {
        let Self { memory_kib, passes } = self;
        format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${DUMMY_SALT}${DUMMY_OUTPUT}")
    }

    fn argon2(self) -> Result<Argon2<'static>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.passes, 1, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// A failure to hash a password, caused by the machine and not by the password.
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

/// The result of comparing a password with a stored hash.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The password is wrong, or there is no hash.
    Wrong,
    /// The password is right.
    Right {
        /// A hash of the same password at the current cost, if the stored hash is weaker.
        rehashed: Option<PasswordHash>,
    },
    /// The stored hash cannot be verified. No password is right.
    Unusable(argon2::password_hash::Error),
}

/// Hashes passwords on its own threads, at most one per core at a time: a hash takes 19 MiB and a core for tens of milliseconds,
/// and more at a time would only slow each other down.
#[derive(Debug)]
pub(crate) struct Hasher {
    cost: HashCost,
    parallelism: usize,
    slots: Semaphore,
    // Started with the first hash: most processes never hash.
    threads: OnceLock<ThreadPool>,
    #[cfg(test)]
    pub(super) operations: Arc<Operations>,
}

/// The memory of each computed hash: measures work without a clock.
#[cfg(test)]
pub(super) type Operations = parking_lot::Mutex<Vec<u32>>;

impl Hasher {
    pub(crate) fn new(cost: HashCost) -> Self {
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

    /// The Argon2id hash of `password` with a new salt. Waits for a free thread.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        self.run(password, |job, password| job.hash(password)).await
    }

    /// Compares `password` with `stored`; without a stored hash, does the same work with a dummy. Waits for a free thread.
    pub(super) async fn verify(&self, password: Password, stored: Option<PasswordHash>) -> Result<Verdict, HashError> {
        self.run(password, move |job, password| job.verify(password, stored)).await
    }

    /// Runs `work` on a free thread, then wipes the password.
    async fn run<T: Send + 'static>(
        &self,
        password: Password,
        work: impl FnOnce(&HashJob, &[u8]) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let _slot = self.slots.acquire().await.map_err(|_| HashError::Died)?;
        let job = HashJob {
            cost: self.cost,
            argon2: self.cost.argon2()?,
            #[cfg(test)]
            operations: Arc::clone(&self.operations),
        };
        let (done, outcome) = oneshot::channel();
        self.threads()?.spawn(move || {
            let outcome = work(&job, password.expose_secret().as_bytes());
            drop(password);
            // The caller may have been dropped.
            let _ = done.send(outcome);
        });
        outcome.await.map_err(|_| HashError::Died)?
    }

    fn threads(&self) -> Result<&ThreadPool, HashError> {
        if self.threads.get().is_none() {
            let name = |index| format!("tailor-idp-hash-{index}");
            let pool = ThreadPoolBuilder::new().num_threads(self.parallelism).thread_name(name).build()?;
            // Two first hashes at once: the second pool is dropped.
            let _ = self.threads.set(pool);
        }
        self.threads.get().ok_or(HashError::Died)
    }
}

/// The parameters of a hashing thread.
struct HashJob {
    cost: HashCost,
    argon2: Argon2<'static>,
    #[cfg(test)]
    operations: Arc<Operations>,
}

impl HashJob {
    fn hash(&self, password: &[u8]) -> Result<PasswordHash, HashError> {
        #[cfg(test)]
        self.operations.lock().push(self.cost.memory_kib);
        Ok(self.argon2.hash_password(password).map_err(HashError::Hash)?.into())
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
                // The same work as for any other user.
                self.compare(password, &self.cost.dummy()).map_err(HashError::Hash)?;
                Ok(Verdict::Unusable(error))
            }
        }
    }

    /// The parsed hash, if the password is right.
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

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[tokio::test]
    async fn default_hash_is_argon2id_at_the_owasp_cost() {
        let hash = Hasher::new(HashCost::default()).hash("correct horse".into()).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(Argon2::default().verify_password(b"correct horse", hash.as_str()).is_ok());
        assert!(Argon2::default().verify_password(b"battery staple", hash.as_str()).is_err());
    }

    #[tokio::test]
    async fn hashes_of_one_password_have_different_salts() {
        let hasher = Hasher::new(HashCost::danger_cheap_for_tests());
        let (one, two) = tokio::join!(hasher.hash("same".into()), hasher.hash("same".into()));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    #[test]
    fn passwords_and_hashes_are_not_printed() {
        let password: Password = "hunter2".into();
        let hash = PasswordHash::from_phc("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$bm8gaGFzaCBhdCBhbGw").unwrap();
        let input = crate::model::CreateUser { password: Some(password), ..Default::default() };
        let printed = format!("{input:?} {hash:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("argon2id"), "{printed}");
    }
}
