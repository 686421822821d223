//! Bulk import of users.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::LocalDirectory;
use super::error::failed;
use super::events::prune_events;
use crate::model::{IdpError, NamespaceName, PasswordHash, UserKey};
use crate::rules::names::NameForms;
use crate::store::{Imported, NewUser, Skipped, Store};

/// A user to import. The password is a hash that another program made: an import does not hash.
#[derive(Debug, Clone, Default)]
pub struct ImportUser {
    /// The name, as for [`CreateUser`](crate::model::CreateUser).
    pub name: String,
    /// The password hash. `None`: the user cannot sign in with a password.
    pub password: Option<PasswordHash>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
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
    users: Vec<NewUser>,
    /// The positions of users whose name earlier versions stored in another spelling, with that spelling.
    former_names: Vec<(usize, String)>,
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

    /// Adds the users whose names are free: see [`LocalDirectory::import_users`].
    ///
    /// # Errors
    ///
    /// [`IdpError`] if the store fails. Then no user was added, unless the code is [`Code::Aborted`](crate::model::Code::Aborted): the outcome is unknown, and
    /// the batch can be imported again.
    pub async fn import(self) -> Result<Imported, IdpError> {
        let Self { namespace, store, users, former_names, publish } = self;
        let taken = taken(&*store, former_names).await?;
        let imported = import_others(&*store, users, &taken, publish).await?;
        if publish && let Err(error) = prune_events(&*store).await {
            tracing::warn!(%error, %namespace, "old events were not deleted after an import");
        }
        Ok(imported)
    }
}

/// The positions of the users whose name a user has in its former spelling.
async fn taken(store: &dyn Store, former_names: Vec<(usize, String)>) -> Result<BTreeSet<usize>, IdpError> {
    let mut taken = BTreeSet::new();
    for (index, name) in former_names {
        if store.get(UserKey::Name(&name)).await.map_err(failed)?.is_some() {
            taken.insert(index);
        }
    }
    Ok(taken)
}

/// Imports the users but for those at the `taken` positions, which are skipped.
async fn import_others(
    store: &dyn Store,
    users: Vec<NewUser>,
    taken: &BTreeSet<usize>,
    publish: bool,
) -> Result<Imported, IdpError> {
    if taken.is_empty() {
        return store.import(users, publish).await.map_err(failed);
    }
    let (skipped, others): (Vec<_>, Vec<_>) =
        users.into_iter().enumerate().partition(|(index, _)| taken.contains(index));
    let (positions, others): (Vec<_>, Vec<_>) = others.into_iter().unzip();
    let imported = store.import(others, publish).await.map_err(failed)?;
    let of_the_store = imported
        .skipped
        .into_iter()
        .filter_map(|Skipped { index, name }| Some(Skipped { index: *positions.get(index)?, name }));
    let mut skipped: Vec<_> = skipped.into_iter().map(|(index, user)| Skipped { index, name: user.name }).collect();
    skipped.extend(of_the_store);
    skipped.sort_unstable_by_key(|skipped| skipped.index);
    Ok(Imported { skipped, ..imported })
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
        Ok(self.import_batch(users)?.import().await?)
    }

    /// Checks users without adding them: the first half of [`import_users`](Self::import_users), for a host that prepares one
    /// batch while another is imported.
    ///
    /// # Errors
    ///
    /// [`ImportError::Invalid`].
    pub fn import_batch(&self, users: Vec<ImportUser>) -> Result<ImportBatch, ImportError> {
        let mut checked = Vec::with_capacity(users.len());
        let mut faults = Vec::new();
        let mut former_names = Vec::new();
        for (index, user) in users.into_iter().enumerate() {
            former_names.extend(NameForms::of(self.policy().name_kind(), &user.name).former.map(|name| (index, name)));
            match self.importable(user) {
                Ok(user) => checked.push(user),
                Err(error) => faults.push(ImportFault { index, error }),
            }
        }
        if !faults.is_empty() {
            return Err(ImportError::Invalid(faults));
        }
        let (namespace, store) = (self.namespace.clone(), Arc::clone(&self.store));
        Ok(ImportBatch { namespace, store, users: checked, former_names, publish: self.settings.publish_user_events })
    }

    fn importable(&self, user: ImportUser) -> Result<NewUser, IdpError> {
        let ImportUser { name, password, disabled } = user;
        let name = self.policy().name_kind().validate(&name)?;
        self.policy().check_domain(&name)?;
        if password.is_some() {
            self.policy().check_password_use("passwordHash")?;
        }
        Ok(NewUser { name, password, disabled })
    }
}
