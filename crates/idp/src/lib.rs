//! The identity side of tailor-idp: namespaces of users under rules, over a store or any other directory. Without a JavaScript
//! engine.
//!
//! A [`Router`] maps the names of namespaces to users. It applies each namespace's rules (names, password policy, permission)
//! over a [`Directory`](directory::Directory): the embedded SQLite store, or a host's own.
//!
//! ```
//! use std::sync::Arc;
//! use tailor_idp_core::store::SqliteDatabase;
//! use tailor_idp_core::{
//!     CallContext, CreateUser, IdentityProvider, NamespaceName, NamespaceSettings, Permission, Principal, Router,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = NamespaceName::new("builtin-idp")?;
//! let store = SqliteDatabase::in_memory()?.namespace(&name).await?; // or SqliteDatabase::open("users.db")
//! let settings = NamespaceSettings::default().permission(Permission::allow_all());
//! let router = Router::builder().namespace(name.clone(), Arc::new(store), settings).build();
//!
//! // The eight operations of scripts, on behalf of a principal.
//! let context = CallContext::new(name, Principal::Anonymous);
//! let password = Some("correct horse".into());
//! router.create_user(&context, CreateUser { name: "Ana@example.com".into(), password, disabled: false }).await?;
//!
//! // Sign-in is for hosts.
//! let signed_in = router.verify_password("builtin-idp", "ana@example.com", "correct horse".into()).await?;
//! assert_eq!(signed_in.map(|signed_in| signed_in.user.name).as_deref(), Some("ana@example.com"));
//! # Ok(()) }
//! ```
//!
//! | module | responsibility | depends on |
//! | --- | --- | --- |
//! | [`model`] | Plain types: users, requests, errors, principals, predicates, times | |
//! | [`suggest`] | "Did you mean" | |
//! | [`rules`] | Validation, password policy, permission, settings; decides without I/O | `model`, `suggest` |
//! | [`store`] | The trait of stores, and SQLite; rows without rules | `model` |
//! | [`jobs`] | Retries of queued jobs | `model`, `store` |
//! | [`directory`] | The trait of directories, capabilities, and the wrapper that applies the rules | `model`, `rules` |
//! | [`local`] | The directory over a store: sign-in, MFA, resets, import, the outbox of mails | `model`, `rules`, `store`, `jobs`, `directory` |
//! | `remote` | Directories of services over HTTP (feature `remote`) | `model`, `directory` |
//! | [`router`] | From the name of a namespace to its users | `model`, `rules`, `store`, `directory`, `local` |
//! | `mail` | Sending password-reset mails (feature `mail`) | `model`, `rules`, `local`, `router` |
//! | [`events`] | Event log, readers, webhooks (feature `webhooks`) | `model`, `store`, `jobs`, `local`, `router` |
//!
//! # Features
//!
//! `sqlite`, `mail` and `webhooks` are on by default. `postgres` adds the store for several machines. `remote` adds the directories
//! of other identity services. `store-contract` adds `store::contract`, the tests that every store has to pass.

pub mod directory;
pub mod events;
#[cfg(any(feature = "webhooks", feature = "remote"))]
mod http;
pub mod jobs;
pub mod local;
#[cfg(feature = "mail")]
pub mod mail;
pub mod model;
mod random;
#[cfg(feature = "remote")]
pub mod remote;
pub mod router;
pub mod rules;
pub mod store;
pub mod suggest;

pub use directory::{CallContext, IdentityProvider};
pub use local::{
    Enrollment, HashCost, ImportBatch, ImportError, ImportFault, ImportPassword, ImportUser, InvalidHashCost,
    InvalidMfaKey, MfaKey, MfaState, PasswordReset, ResetPasswordError, ResetToken, SignIn, TooManyAttempts,
    UnusableHash,
};
#[doc(hidden)]
pub use model::error::shortened;
pub use model::*;
pub use router::{Router, RouterBuilder};
pub use rules::*;

/// The README's program runs.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
