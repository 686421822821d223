//! The identity provider: what `tailor.idp` promises, free of JavaScript.
//!
//! [`IdentityProvider`] is the interface, the eight operations that a script can ask for. [`Idp`] is the
//! implementation: it checks what it is given, hashes passwords off the caller's thread, and keeps the users of
//! each namespace in a [`UserStore`](crate::store::UserStore).

mod attempts;
mod auth_policy;
mod clock;
mod error;
mod identifier;
mod import;
mod interface;
mod mfa;
mod model;
mod namespace;
mod outbox;
mod page_token;
mod password;
mod permission;
mod principal;
mod reset;
mod reset_token;
mod service;
mod settings;
mod sign_in;

pub use attempts::{AttemptLimits, TooManyAttempts};
pub use auth_policy::UserAuthPolicy;
pub use clock::{Clock, SystemClock};
pub(crate) use error::shortened;
pub use error::{Code, IdpError};
pub use import::{ImportBatch, ImportError, ImportFault, ImportUser};
pub use interface::IdentityProvider;
pub use mfa::{Enrollment, InvalidMfaKey, MfaKey};
pub use model::{
    CreateUser, InvalidNamespaceName, ListUsers, NamespaceName, Password, SendPasswordResetEmail, Timestamp,
    UnenrollMfa, UpdateUser, User, UserPage, UserQuery,
};
pub(crate) use outbox::{LEASE, TOKEN_LIFETIME};
pub use outbox::{OutgoingMail, SendFailure};
pub use password::{HashCost, InvalidHashCost, InvalidPasswordHash, PasswordHash};
pub use permission::{
    Compared, ConditionOutcome, Decision, Operation, Operator, Permission, PermissionConfig, PermissionFault,
    PolicyOutcome, Reason, Subject, Target,
};
pub use principal::{Invoker, InvokerType, Principal};
pub use reset::{PasswordReset, ResetPasswordError};
pub use reset_token::ResetToken;
pub use service::{Idp, IdpBuilder};
pub use settings::{EmailConfig, Lang, NameKind, NamespaceSettings, SettingFault};
pub use sign_in::{MfaState, SignIn};
