//! The rules of a namespace: names, passwords, permission, settings. They decide and do no I/O.

mod auth_policy;
mod name_kind;
pub(crate) mod names;
mod namespace_settings;
mod permission;
mod rate_limits;
pub(crate) mod reset_mail;
mod setting_fault;
mod uris;

pub use auth_policy::UserAuthPolicy;
pub use name_kind::NameKind;
pub use namespace_settings::{EmailConfig, Lang, NamespaceSettings};
pub use permission::{
    Compared, ConditionOutcome, Decision, Operation, Operator, Permission, PermissionConfig, PermissionFault,
    PolicyOutcome, Reason, Subject, Target,
};
pub use rate_limits::{AttemptLimits, MailLimit};
pub use setting_fault::SettingFault;
