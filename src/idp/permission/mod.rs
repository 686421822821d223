//! Permission: who may do what to whom.
//!
//! Everything is denied until a policy permits it. [`Principal::Host`] is not bound.

mod config;

pub use config::{PermissionConfig, PermissionFault, PolicyConfig};

use super::Principal;
use crate::store::{Predicate, UserRecord};

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `createUser`.
    Create,
    /// `user`, `userByName`, `users`; and the target of `unenrollMfa`.
    Read,
    /// `updateUser`.
    Update,
    /// `deleteUser`.
    Delete,
    /// `sendPasswordResetEmail`.
    SendPasswordResetEmail,
    /// `unenrollMfa`.
    UnenrollMfa,
}

/// Whom an operation is about, as policies see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `None` for a user who is yet to be created.
    pub id: Option<&'a str>,
    /// The normalised name.
    pub name: &'a str,
    /// Whether the user is disabled.
    pub disabled: bool,
}

impl<'a> From<&'a UserRecord> for Subject<'a> {
    fn from(user: &'a UserRecord) -> Self {
        Self { id: Some(&user.id), name: &user.name, disabled: user.disabled }
    }
}

/// The users that a policy's operands name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// `idpUser`.
    User(Subject<'a>),
    /// `oldIdpUser` and `newIdpUser`, of an update.
    Change {
        /// As the user is.
        old: Subject<'a>,
        /// As the user would be.
        new: Subject<'a>,
    },
}

/// The policies of a namespace, compiled.
#[derive(Debug, Clone, Default)]
pub struct Permission {
    rules: Rules,
}

#[derive(Debug, Clone, Default)]
enum Rules {
    /// `permission = "allow-all"`.
    AllowAll,
    #[default]
    DenyAll,
}

impl Permission {
    /// Everything is permitted to everybody: for local work, where it is said.
    pub fn allow_all() -> Self {
        Self { rules: Rules::AllowAll }
    }

    /// Nothing is permitted to anybody but the host.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Whether the principal may do this to the target.
    pub fn allows(&self, _operation: Operation, principal: &Principal, _target: &Target<'_>) -> bool {
        *principal == Principal::Host || matches!(self.rules, Rules::AllowAll)
    }

    /// Whom the principal may read, as a part of a store's query.
    pub fn visible(&self, principal: &Principal) -> Predicate {
        let everybody = *principal == Principal::Host || matches!(self.rules, Rules::AllowAll);
        if everybody { Predicate::everybody() } else { Predicate::nobody() }
    }
}
