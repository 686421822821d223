//! Events: notifying others of changes to users.
//!
//! A namespace that publishes ([`publish_user_events`](crate::rules::NamespaceSettings::publish_user_events)) appends an event to
//! its log with every change, in the same transaction. [`Events`] reads the log. An [`EventReader`] passes events to Rust code,
//! which acknowledges each; a `WebhookWorker` posts them, signed, to a URL. Both deliver at least once, and the events of one
//! user in order.

mod error;
mod event;
mod log;
mod reader;
mod signature;
#[cfg(feature = "webhooks")]
mod webhook;
#[cfg(feature = "webhooks")]
mod worker;

pub use error::EventError;
pub use event::UserEvent;
pub use log::{DeadUserEvent, Events, Revival};
pub use reader::{EventReader, ReceivedEvent};
pub use signature::{SIGNATURE_HEADER, SIGNATURE_TOLERANCE, SignatureError, sign, verify};
#[cfg(feature = "webhooks")]
pub use webhook::{InvalidWebhook, WebhookSettings};
#[cfg(feature = "webhooks")]
pub use worker::WebhookWorker;

pub use crate::model::EventKind;
pub use crate::store::{Consumer, StartAt};
