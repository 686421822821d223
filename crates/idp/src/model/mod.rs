//! Plain types: users, requests, errors, principals, points in time. Depends on no other module of this crate.

pub(crate) mod error;
mod event;
mod namespace_name;
mod password;
mod predicate;
mod principal;
mod query;
mod time;
mod user;

pub use error::{Code, IdpError};
pub(crate) use error::{internal, shortened};
pub use event::{EventKind, EventRecord};
pub use namespace_name::{InvalidNamespaceName, NamespaceName};
pub use password::{ExposeSecret, InvalidPasswordHash, Password, PasswordHash};
pub use predicate::{Field, FieldKind, FieldValue, Predicate, Scalar};
pub use principal::{Invoker, InvokerType, Principal};
pub use query::{ListUsers, UserPage, UserQuery};
pub use time::{Clock, InvalidTimestamp, SystemClock, Timestamp};
pub use user::{CreateUser, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserRecord, Version};
