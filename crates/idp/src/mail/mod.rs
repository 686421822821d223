//! Password-reset mails: settings ([`MailSettings`]), templates, transports ([`MailTransport`]), and the worker that sends what
//! is queued ([`MailWorker`]).

mod encode;
mod message;
mod settings;
mod transport;
mod worker;

pub use message::MailError;
pub use settings::{InvalidMailSettings, MailSettings, MailTransport, SmtpCredentials, SmtpServer, SmtpTls};
pub use worker::{Delivery, MailWorker, StartError, Tally};

pub use settings::{bare_host, is_loopback_host, is_sender_address, reset_path};
