//! Bulk import of users.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::LocalDirectory;
use super::error::failed;
use super::events::prune_events;
use super::hasher::{Hasher, StoredHash};
use crate::model::{IdpError, NamespaceName, Password, PasswordHash, Timestamp, UserKey, internal};
use crate::rules::names::NameForms;
use crate::store::{ImportObserver, ImportProgress, Imported, NewUser, Skipped, Store, StoreError};

/// The number of look-ups of former names between two reports to the observer: milliseconds.
const LOOKUPS_PER_REPORT: usize = 1000;

/// A user to import.
#[derive(Debug, Clone, Default)]
pub struct ImportUser {
    /// The name, as for [`CreateUser`](crate::model::CreateUser).
    pub name: String,
    /// The password. `None`: the user cannot sign in with a password.
    pub password: Option<ImportPassword>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
    /// The creation time, which must not be in the future; `None`: the time of the import. Does not affect the order of listings,
    /// which is that of the import.
    pub created_at: Option<Timestamp>,
}

/// The password of a user to import.
#[derive(Debug, Clone)]
pub enum ImportPassword {
    /// A hash that another program made. It must be complete, of a supported kind, and within the bounds of its cost: see
    /// [`UnusableHash`](super::UnusableHash). Sign-in replaces it at the first success.
    Hash(PasswordHash),
    /// The password itself, under the namespace's policy. The import hashes it, which takes tens of milliseconds of a core.
    Plain(Password),
}

/// A user of a batch who violates the rules.
#[derive(Debug, thiserror::Error)]
#[error("user {index} of the batch: {error}")]
pub struct ImportFault {
    /// The position in the batch, from 0.
    pub index: usize,
    /// The violation.
    pub error: IdpError,
}

/// A failed import. No user was added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Users violate the rules: all of these, in the order of the batch.
    #[error("{} of the batch cannot be imported{}", counted(.0.len()), first(.0))]
    Invalid(Vec<ImportFault>),
    /// The observer cancelled the import.
    #[error("the import was cancelled")]
    Cancelled,
    /// The import failed for another reason.
    #[error(transparent)]
    Failed(#[from] IdpError),
}

fn counted(users: usize) -> String {
    format!("{users} user{}", if users == 1 { "" } else { "s" })
}

fn first(faults: &[ImportFault]) -> String {
    faults.first().map(|fault| format!("; the first: {fault}")).unwrap_or_default()
}

/// Users who have passed the rules of their namespace, ready to be imported.
pub struct ImportBatch {
    namespace: NamespaceName,
    store: Arc<dyn Store>,
    hasher: Arc<Hasher>,
    users: Vec<NewUser>,
    /// The positions of users whose name earlier versions stored in another spelling, with that spelling.
    former_names: Vec<(usize, String)>,
    /// The passwords to hash, and the positions of their users.
    passwords: Vec<(usize, Password)>,
    publish: bool,
}

impl fmt::Debug for ImportBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, users) = (&self.namespace, self.users.len());
        f.debug_struct("ImportBatch").field("namespace", namespace).field("users", &users).finish_non_exhaustive()
    }
}

impl ImportBatch {
    /// The number of users.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The number of passwords that the import hashes, unless their users' names are taken.
    pub fn passwords(&self) -> usize {
        self.passwords.len()
    }

    /// Adds the users whose names are free: see [`LocalDirectory::import_users`].
    ///
    /// # Errors
    ///
    /// [`ImportError::Failed`] if the store fails. Then no user was added, unless the code is
    /// [`Code::Aborted`](crate::model::Code::Aborted): the outcome is unknown, and the batch can be imported again.
    pub async fn import(self) -> Result<Imported, ImportError> {
        self.import_observed(Arc::new(|_| ControlFlow::Continue(()))).await
    }

    /// As [`import`](Self::import), with a callback for its progress, which can cancel the import.
    ///
    /// # Errors
    ///
    /// As there, and [`ImportError::Cancelled`]: the observer cancelled the import, and no user was added.
    pub async fn import_observed(mut self, observer: ImportObserver) -> Result<Imported, ImportError> {
        let taken = self.taken_positions(&observer).await?;
        let taken: Vec<_> = self.hash_passwords(taken, &observer).await?.into_iter().collect();
        let Self { namespace, store, users, publish, .. } = self;
        let (users, taken_users) = partition_taken(users, &taken);
        let mut imported = store.import(users, publish, &observer).await.map_err(|error| match error {
            StoreError::Cancelled => ImportError::Cancelled,
            error => failed(error).into(),
        })?;
        if !taken_users.is_empty() {
            restore_positions(&mut imported.skipped, &taken);
            imported.skipped.extend(taken_users);
            imported.skipped.sort_by_key(|skipped| skipped.index);
        }
        if publish && let Err(error) = prune_events(&*store).await {
            tracing::warn!(%error, %namespace, "old events were not deleted after an import");
        }
        Ok(imported)
    }

    /// The positions of the users whose name a user has in its former spelling.
    async fn taken_positions(&mut self, observer: &ImportObserver) -> Result<BTreeSet<usize>, ImportError> {
        let mut taken = BTreeSet::new();
        for (looked_up, (index, name)) in (1_usize..).zip(std::mem::take(&mut self.former_names)) {
            if self.store.get(UserKey::Name(&name)).await.map_err(failed)?.is_some() {
                taken.insert(index);
            }
            if looked_up.is_multiple_of(LOOKUPS_PER_REPORT) {
                report(observer, ImportProgress::LookedUp(looked_up))?;
                // A store's reads need not wait for anything: without this, a task on the same thread could not learn of a signal.
                tokio::task::yield_now().await;
            }
        }
        Ok(taken)
    }

    /// Hashes the passwords, on all cores. Adds to `taken` the positions of users whose names are taken: their passwords are not
    /// hashed, so that an import that is repeated after an interruption soon gets to where it was.
    async fn hash_passwords(
        &mut self,
        mut taken: BTreeSet<usize>,
        observer: &ImportObserver,
    ) -> Result<BTreeSet<usize>, ImportError> {
        let mut passwords = std::mem::take(&mut self.passwords);
        passwords.retain(|(index, _)| !taken.contains(index));
        let mut passwords = passwords.into_iter();
        let mut hashing = JoinSet::new();
        let mut hashed = 0;
        loop {
            while hashing.len() < self.hasher.parallelism()
                && let Some((index, password)) = passwords.next()
            {
                let (store, hasher) = (Arc::clone(&self.store), Arc::clone(&self.hasher));
                let name = self.users[index].name.clone();
                hashing.spawn(async move {
                    let found = store.get(UserKey::Name(&name)).await.map_err(failed)?;
                    let hash = match found {
                        Some(_) => None,
                        None => Some(hasher.hash(password).await.map_err(internal)?),
                    };
                    Ok::<_, IdpError>((index, hash))
                });
            }
            let Some(done) = hashing.join_next().await else { return Ok(taken) };
            match done.map_err(internal)?? {
                (index, Some(hash)) => self.users[index].password = Some(hash),
                (index, None) => drop(taken.insert(index)),
            }
            hashed += 1;
            report(observer, ImportProgress::Hashed(hashed))?;
        }
    }
}

/// Fails if the observer cancels the import.
fn report(observer: &ImportObserver, progress: ImportProgress) -> Result<(), ImportError> {
    if observer(progress).is_break() { Err(ImportError::Cancelled) } else { Ok(()) }
}

/// Partitions users into those whose names are free and those at the positions `taken`, which are sorted.
fn partition_taken(users: Vec<NewUser>, taken: &[usize]) -> (Vec<NewUser>, Vec<Skipped>) {
    if taken.is_empty() {
        return (users, Vec::new());
    }
    let (mut free, mut taken_users) = (Vec::new(), Vec::new());
    for (index, user) in users.into_iter().enumerate() {
        match taken.binary_search(&index) {
            Ok(_) => taken_users.push(Skipped { index, name: user.name }),
            Err(_) => free.push(user),
        }
    }
    (free, taken_users)
}

/// Turns positions among the users whose names are free into positions in the batch. Both lists are sorted.
fn restore_positions(skipped: &mut [Skipped], taken: &[usize]) {
    let mut before = 0;
    for skipped in skipped {
        while taken.get(before).is_some_and(|index| *index <= skipped.index + before) {
            before += 1;
        }
        skipped.index += before;
    }
}

impl LocalDirectory {
    /// Adds users in one transaction, at a far higher rate than single calls. Users whose names are taken are skipped, so that
    /// the same batch can be imported again. For hosts: no permission is evaluated.
    ///
    /// Ids are in the order of the batch. Other writes wait meanwhile, which may take seconds: a larger batch has a higher rate, a
    /// smaller one blocks others for a shorter time.
    ///
    /// # Errors
    ///
    /// [`ImportError`]: users violate the rules that also hold for `create_user`, or the store fails. Then no user was added, unless the
    /// outcome is unknown ([`Code::Aborted`](crate::model::Code::Aborted)).
    pub async fn import_users(&self, users: Vec<ImportUser>) -> Result<Imported, ImportError> {
        self.import_batch(users)?.import().await
    }

    /// Checks users without adding them: the first half of [`import_users`](Self::import_users), for a host that prepares one
    /// batch while another is imported.
    ///
    /// # Errors
    ///
    /// [`ImportError::Invalid`].
    pub fn import_batch(&self, users: Vec<ImportUser>) -> Result<ImportBatch, ImportError> {
        let mut checked = Vec::with_capacity(users.len());
        let mut passwords = Vec::new();
        let mut faults = Vec::new();
        let mut former_names = Vec::new();
        let now = self.now();
        for (index, user) in users.into_iter().enumerate() {
            match self.importable(user, now) {
                Ok((user, former_name, password)) => {
                    checked.push(user);
                    former_names.extend(former_name.map(|name| (index, name)));
                    passwords.extend(password.map(|password| (index, password)));
                }
                Err(error) => faults.push(ImportFault { index, error }),
            }
        }
        if !faults.is_empty() {
            return Err(ImportError::Invalid(faults));
        }
        let (namespace, store, hasher) = (self.namespace.clone(), Arc::clone(&self.store), Arc::clone(&self.hasher));
        let publish = self.settings.publish_user_events;
        Ok(ImportBatch { namespace, store, hasher, users: checked, former_names, passwords, publish })
    }

    /// The user to insert, the spelling in which earlier versions stored the name, where it differs, and the password to hash.
    fn importable(
        &self,
        user: ImportUser,
        now: Timestamp,
    ) -> Result<(NewUser, Option<String>, Option<Password>), IdpError> {
        let ImportUser { name, password, disabled, created_at } = user;
        let (NameForms { normal: name, former }, checked) = NameForms::validated(self.policy().name_kind(), &name);
        checked?;
        self.policy().check_domain(&name)?;
        let (hash, plain) = match password {
            None => (None, None),
            Some(ImportPassword::Hash(hash)) => {
                self.policy().check_password_use("passwordHash")?;
                let unusable = |fault| IdpError::invalid_argument(format!("passwordHash: {fault}"));
                StoredHash::parse(hash.as_str()).map_err(unusable)?;
                (Some(hash), None)
            }
            Some(ImportPassword::Plain(password)) => {
                self.policy().check_password_use("password")?;
                self.policy().check_password(&password)?;
                (None, Some(password))
            }
        };
        if let Some(time) = created_at.filter(|time| *time > now) {
            return Err(IdpError::invalid_argument(format!("createdAt must not be in the future: got {time}")));
        }
        Ok((NewUser { name, password: hash, disabled, created_at }, former, plain))
    }
}
