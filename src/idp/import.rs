//! Bulk import: many users at once, who come from elsewhere.

use std::fmt;
use std::sync::Arc;

use super::namespace::{Namespace, failed};
use super::{Code, Idp, IdpError, NamespaceName, PasswordHash, identifier};
use crate::store::{Imported, NewUser, UserStore};

/// A user to import. A password comes as the hash that another program made of it: an import hashes nothing.
#[derive(Debug, Clone, Default)]
pub struct ImportUser {
    /// The name, as for [`CreateUser`](super::CreateUser).
    pub name: String,
    /// `None`: no password signs the user in.
    pub password: Option<PasswordHash>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
}

/// A user of a batch who is against the namespace's rules.
#[derive(Debug, thiserror::Error)]
#[error("user {index} of the batch: {error}")]
pub struct ImportFault {
    /// Where in the batch the user is, from 0.
    pub index: usize,
    /// What is wrong.
    pub error: IdpError,
}

/// Why nobody of a batch was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Users are against the rules: all of them, in the order of the batch.
    #[error("{} of the batch cannot be imported{}", counted(.0.len()), first(.0))]
    Invalid(Vec<ImportFault>),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] IdpError),
}

fn counted(users: usize) -> String {
    format!("{users} user{}", if users == 1 { "" } else { "s" })
}

fn first(faults: &[ImportFault]) -> String {
    faults.first().map(|fault| format!("; the first: {fault}")).unwrap_or_default()
}

/// Users that the rules of their namespace allow, about to be imported.
pub struct ImportBatch {
    namespace: NamespaceName,
    store: Arc<dyn UserStore>,
    users: Vec<NewUser>,
    publish: bool,
}

// By hand: a store need not be `Debug`.
impl fmt::Debug for ImportBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, users) = (&self.namespace, self.users.len());
        f.debug_struct("ImportBatch").field("namespace", namespace).field("users", &users).finish_non_exhaustive()
    }
}

impl ImportBatch {
    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Adds the users whose names are free: see [`Idp::import_users`].
    ///
    /// # Errors
    ///
    /// [`IdpError`] where the store fails, [`Unimplemented`](Code::Unimplemented) where it takes no imports. Nobody was added.
    pub async fn import(self) -> Result<Imported, IdpError> {
        let missing = || {
            IdpError::new(Code::Unimplemented, format!("the store of namespace {} takes no imports", self.namespace))
        };
        let store = self.store.import().ok_or_else(missing)?;
        store.import(self.users, self.publish).await.map_err(failed)
    }
}

impl Idp {
    /// Adds many users in one transaction, at a far higher rate than one by one: those whose names are free. The others are
    /// skipped, so that the same batch once more adds nobody. For the host alone: no permission is asked, and no script can.
    ///
    /// Ids are in the order of the batch. Other writes to the store wait meanwhile. How large a batch should be:
    /// [`ImportStore`](crate::store::ImportStore).
    ///
    /// # Errors
    ///
    /// [`ImportError`]: users are against the rules for names and passwords that hold in `create_user`, or the store fails,
    /// with [`Unimplemented`](Code::Unimplemented) where it takes no imports. Nobody was added.
    pub async fn import_users(&self, namespace: &str, users: Vec<ImportUser>) -> Result<Imported, ImportError> {
        Ok(self.import_batch(namespace, users)?.import().await?)
    }

    /// Checks users, and adds nobody yet: the first half of [`import_users`](Self::import_users), for a host that prepares a
    /// batch while another is being imported.
    ///
    /// # Errors
    ///
    /// [`ImportError`], as of `import_users`.
    pub fn import_batch(&self, namespace: &str, users: Vec<ImportUser>) -> Result<ImportBatch, ImportError> {
        let namespace = self.namespace(namespace)?;
        let mut checked = Vec::with_capacity(users.len());
        let mut faults = Vec::new();
        for (index, user) in users.into_iter().enumerate() {
            match namespace.importable(user) {
                Ok(user) => checked.push(user),
                Err(error) => faults.push(ImportFault { index, error }),
            }
        }
        if !faults.is_empty() {
            return Err(ImportError::Invalid(faults));
        }
        let (name, store) = (namespace.name.clone(), Arc::clone(&namespace.store));
        Ok(ImportBatch { namespace: name, store, users: checked, publish: namespace.publishes() })
    }
}

impl Namespace {
    fn importable(&self, user: ImportUser) -> Result<NewUser, IdpError> {
        let name = identifier::validate(self.policy().name_kind(), &user.name)?;
        self.policy().check_domain(&name)?;
        if user.password.is_some() {
            self.policy().check_password_use("passwordHash")?;
        }
        Ok(NewUser { name, password: user.password, disabled: user.disabled })
    }
}
