//! Password hashing with Argon2id, and verification of hashes of any supported kind, on dedicated threads.

mod stored;

#[cfg(test)]
use std::sync::Arc;
use std::sync::OnceLock;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use rayon_core::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, oneshot};

pub(super) use self::stored::StoredHash;
pub use self::stored::UnusableHash;
use self::stored::{MAX_ARGON2_PASSES, MAX_MEMORY_KIB};
use crate::model::{Password, PasswordHash};

/// The salt of a [`HashCost::dummy`]: 16 bytes, the length of a real salt.
const DUMMY_SALT: &str = "bm8gdXNlcnMgc2FsdCEhIQ";
/// The output of a [`HashCost::dummy`]: 32 bytes, the length of a real output.
const DUMMY_OUTPUT: &str = "bm9ib2R5IGtub3dzIHdoYXQgaGFzaGVzIHRvIHRoaXM";

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
#[error(
    "Argon2id takes 8 to {MAX_MEMORY_KIB} KiB and 1 to {MAX_ARGON2_PASSES} passes: got {memory_kib} KiB and {passes} passes"
)]
pub struct InvalidHashCost {
    memory_kib: u32,
    passes: u32,
}

impl HashCost {
    /// Argon2id with the given memory in KiB and number of passes, in one lane.
    ///
    /// # Errors
    ///
    /// [`InvalidHashCost`] if Argon2 does not accept the parameters, or a hash would be too expensive to be verified: the maximum is
    /// 256 MiB and 20 passes.
    pub fn argon2id(memory_kib: u32, passes: u32) -> Result<Self, InvalidHashCost> {
        let cost = Self { memory_kib, passes };
        let verifiable = memory_kib <= MAX_MEMORY_KIB && passes <= MAX_ARGON2_PASSES;
        if verifiable && cost.argon2().is_ok() { Ok(cost) } else { Err(InvalidHashCost { memory_kib, passes }) }
    }

    /// A cost for tests only: hashes are computed, and guessed, in microseconds.
    pub const fn danger_cheap_for_tests() -> Self {
        Self { memory_kib: Params::MIN_M_COST, passes: 1 }
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
        /// A hash of the same password at the current cost, if the stored hash is of another kind or cost and no other password
        /// has it.
        rehashed: Option<PasswordHash>,
    },
    /// The stored hash cannot be verified. No password is right.
    Unusable(UnusableHash),
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

/// The memory of each computed hash, 0 for kinds other than Argon2: measures work without a clock.
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

    /// The maximum number of hashes that are computed at the same time.
    pub(super) fn parallelism(&self) -> usize {
        self.parallelism
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
            self.verify_dummy(password);
            return Ok(Verdict::Wrong);
        };
        match self.compare(password, stored.as_str()) {
            Ok(None) => Ok(Verdict::Wrong),
            Ok(Some(hash)) => Ok(Verdict::Right { rehashed: self.rehashed(password, &hash) }),
            Err(error) => {
                // The same work as for any other user.
                self.verify_dummy(password);
                Ok(Verdict::Unusable(error))
            }
        }
    }

    /// The parsed hash, if the password is right.
    fn compare<'a>(&self, password: &[u8], stored: &'a str) -> Result<Option<StoredHash<'a>>, UnusableHash> {
        let hash = StoredHash::parse(stored)?;
        let right = hash.verify(password);
        #[cfg(test)]
        self.operations.lock().push(hash.argon2_memory_kib());
        Ok(right?.then_some(hash))
    }

    /// Does the work of verifying a hash of the current cost.
    fn verify_dummy(&self, password: &[u8]) {
        if let Err(error) = self.compare(password, &self.cost.dummy()) {
            tracing::error!(%error, "the dummy hash cannot be verified: users can be told from unknown names by the time it takes");
        }
    }

    /// A hash of the current kind and cost, unless `stored` is one. A failure does not fail the sign-in: the next one tries again.
    ///
    /// A bcrypt hash of a password that fills it is kept: whoever typed it with another ending would replace it by a hash that the
    /// user's own password does not match.
    fn rehashed(&self, password: &[u8], stored: &StoredHash<'_>) -> Option<PasswordHash> {
        if stored.is_argon2id(self.cost.memory_kib, self.cost.passes) || !stored.covers(password) {
            return None;
        }
        let hash = self.hash(password);
        hash.inspect_err(|error| tracing::warn!(%error, "cannot replace a password hash of another kind or cost")).ok()
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn hash_cost_is_bounded_by_what_can_be_verified() {
        HashCost::argon2id(256 * 1024, 20).unwrap();
        for (memory_kib, passes) in [(256 * 1024 + 1, 1), (8, 21), (7, 1), (8, 0)] {
            let error = HashCost::argon2id(memory_kib, passes).unwrap_err().to_string();
            let got = format!("got {memory_kib} KiB and {passes} passes");
            assert_eq!(error, format!("Argon2id takes 8 to 262144 KiB and 1 to 20 passes: {got}"));
        }
    }

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
