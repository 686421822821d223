//! Events: the log of changes, readers, and webhooks.

#[cfg(feature = "webhooks")]
mod kill;
mod log;
mod reader;
#[cfg(feature = "webhooks")]
mod receiver;
#[cfg(feature = "webhooks")]
mod webhook;
