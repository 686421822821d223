//! Permission: access policies and their evaluation.
//!
//! Everything is denied until a policy permits it. [`Principal::Host`] is not restricted.
//!
//! [`PermissionConfig`] is the configuration, [`Permission`] its compiled form. A policy matches if all its conditions hold. A
//! matching policy that denies takes precedence over matching policies that permit. A missing operand, such as an attribute that
//! the invoker does not have or the id of a user who is about to be created, equals nothing: `=` and `in` do not hold for it,
//! and `!=` and `not in`, their exact negations, do. So does a member of a list that is neither a string nor a boolean; the
//! other members count.

mod compile;
mod config;
mod explanation;
mod lint;
mod policy;
#[cfg(test)]
mod tests;
mod visible;

use std::sync::Arc;

pub use config::{PermissionConfig, PermissionFault};
pub use explanation::{Compared, ConditionOutcome, Decision, PolicyOutcome, Reason};
pub use policy::Operator;

use self::policy::{Policy, Question};
use crate::model::{Predicate, Principal, UserRecord};

/// An operation that policies permit or deny.
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

impl Operation {
    /// All operations.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Read, Self::Update, Self::Delete, Self::SendPasswordResetEmail, Self::UnenrollMfa];

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::SendPasswordResetEmail => "sendPasswordResetEmail",
            Self::UnenrollMfa => "unenrollMfa",
        }
    }

    /// The operation with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

/// A user as policies see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The id; `None` for a user who is about to be created.
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

/// The users that an operation affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// `idpUser`.
    User(Subject<'a>),
    /// `oldIdpUser` and `newIdpUser` of an update.
    Change {
        /// The user before the update.
        old: Subject<'a>,
        /// The user after the update.
        new: Subject<'a>,
    },
}

/// The policies of a namespace, compiled. Cheap to clone.
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
    Policies(Arc<Policies>),
}

/// The policies for each operation, in the order of [`Operation::ALL`].
#[derive(Debug, Default)]
struct Policies([Vec<Policy>; Operation::ALL.len()]);

impl Policies {
    fn of(&self, operation: Operation) -> &[Policy] {
        &self.0[operation as usize]
    }

    fn of_mut(&mut self, operation: Operation) -> &mut Vec<Policy> {
        &mut self.0[operation as usize]
    }
}

impl Permission {
    /// Permits everything to everybody: for local development, if configured explicitly.
    pub fn allow_all() -> Self {
        Self { rules: Rules::AllowAll }
    }

    /// Denies everything to everybody but the host.
    pub fn deny_all() -> Self {
        Self::default()
    }

    fn of(policies: Policies) -> Self {
        Self { rules: Rules::Policies(Arc::new(policies)) }
    }

    /// Whether the principal may perform the operation on the target: a policy permits it, and none denies it.
    pub fn allows(&self, operation: Operation, principal: &Principal, target: &Target<'_>) -> bool {
        if *principal == Principal::Host || matches!(self.rules, Rules::AllowAll) {
            return true;
        }
        let question = Question { principal, target: Some(target) };
        let mut permitted = false;
        for policy in self.policies(operation).iter().filter(|policy| policy.matches(question)) {
            if !policy.permits {
                return false;
            }
            permitted = true;
        }
        permitted
    }

    /// As [`allows`](Self::allows), with the reason.
    pub fn decide(&self, operation: Operation, principal: &Principal, target: &Target<'_>) -> Decision {
        let question = Question { principal, target: Some(target) };
        let decision = explanation::decide(operation, self.policies(operation), question);
        match (principal, &self.rules) {
            (Principal::Host, _) => Decision { allowed: true, reason: Reason::Host, ..decision },
            (_, Rules::AllowAll) => Decision { allowed: true, reason: Reason::AllowAll, ..decision },
            _ => decision,
        }
    }

    /// The users whom the principal may read, as a predicate for queries.
    pub fn visible(&self, principal: &Principal) -> Predicate {
        if *principal == Principal::Host || matches!(self.rules, Rules::AllowAll) {
            return Predicate::everybody();
        }
        visible::visible(self.policies(Operation::Read), principal)
    }

    /// Whether the policies let the principal read every user, whoever the users are: only such a principal learns that a user
    /// does not exist.
    pub fn reads_everybody(&self, principal: &Principal) -> bool {
        self.visible(principal).is_everybody()
    }

    fn policies(&self, operation: Operation) -> &[Policy] {
        match &self.rules {
            Rules::Policies(policies) => policies.of(operation),
            Rules::AllowAll | Rules::DenyAll => &[],
        }
    }
}
