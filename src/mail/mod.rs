//! Sending password-reset mails: what is in them ([`MailSettings`], templates), how they travel ([`MailTransport`]), and
//! the worker that empties the outbox ([`MailWorker`]).

mod encode;
mod message;
mod settings;
mod transport;
mod worker;

pub use message::MailError;
pub use settings::{InvalidMailSettings, MailSettings, MailTransport, SmtpCredentials, SmtpServer, SmtpTls};
pub use worker::{Delivery, MailWorker, StartError, Tally};

#[cfg(feature = "server")]
pub(crate) use settings::reset_path;
pub(crate) use settings::{bare_host, is_sender, is_this_machine};
