//! The text of a mail.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use minijinja::{AutoEscape, Environment, context};
use uuid::Uuid;

use super::encode;
use super::settings::MailSettings;
use crate::local::{OutgoingMail, TOKEN_LIFETIME};
use crate::rules::NamespaceSettings;

/// A failure to compose a mail. Another attempt would fail as well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The user's name or the sender's address is not an e-mail address.
    #[error("not an e-mail address: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The message cannot be built.
    #[error("the mail cannot be made: {0}")]
    Message(#[from] lettre::error::Error),
    /// A header is invalid.
    #[error("the header cannot be made: {0}")]
    Header(&'static str),
    /// A template is invalid.
    #[error("the mail's template cannot be filled in: {0}")]
    Template(#[from] minijinja::Error),
}

/// The compiled templates.
#[derive(Debug)]
pub(super) struct Templates(Environment<'static>);

impl Templates {
    pub(super) fn load() -> Result<Self, MailError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(
            |name| {
                if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        templates.add_template("en.txt", include_str!("templates/en.txt"))?;
        templates.add_template("en.html", include_str!("templates/en.html"))?;
        templates.add_template("ja.txt", include_str!("templates/ja.txt"))?;
        templates.add_template("ja.html", include_str!("templates/ja.html"))?;
        Ok(Self(templates))
    }

    /// Composes the mail.
    pub(super) fn message(
        &self,
        settings: &MailSettings,
        namespace: &str,
        of_namespace: &NamespaceSettings,
        mail: &OutgoingMail,
    ) -> Result<Message, MailError> {
        let from_name = encode::one_line(of_namespace.mail_from_name(mail.from_name.as_deref()));
        let subject = encode::one_line(of_namespace.password_reset_subject(mail.subject.as_deref()));
        let lang = of_namespace.lang.as_str();
        let values = context! {
            link => settings.link(namespace, &mail.token),
            address => encode::one_line(&mail.to),
            from_name => &from_name,
            subject => &subject,
            minutes => TOKEN_LIFETIME.as_secs() / 60,
        };
        let body = |format: &str| self.0.get_template(&format!("{lang}.{format}"))?.render(&values);
        let (from, to): (Address, Address) = (settings.from_address.parse()?, mail.to.parse()?);
        // In the sender's domain, so that the machine's name is not disclosed.
        let id = format!("<{}@{}>", Uuid::now_v7(), from.domain());
        let mut message = Message::builder()
            .message_id(Some(id))
            .from(Mailbox::new(None, from.clone()))
            .to(Mailbox::new(None, to))
            .multipart(MultiPart::alternative_plain_html(body("txt")?, body("html")?))?;
        let mut set = |name: &'static str, value: String| {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| MailError::Header(name))?;
            message.headers_mut().insert_raw(HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value));
            Ok::<_, MailError>(())
        };
        // Encoded here, since text that looks like an encoded word must be encoded too.
        set("From", encode::mailbox(&from_name, from.as_ref()))?;
        set("Subject", encode::unstructured(&subject))?;
        set("Content-Language", lang.to_owned())?;
        // Suppress auto-replies (RFC 3834).
        set("Auto-Submitted", "auto-generated".to_owned())?;
        Ok(message)
    }
}
