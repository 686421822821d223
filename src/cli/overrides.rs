//! Flags that override default settings where there is no settings file. Each command has those that it uses.

use clap::Args;
use tailor_idp::idp::{Lang, NameKind, NamespaceSettings};

/// Flags that override the default settings of a namespace.
pub(super) trait SettingsOverrides: Args {
    /// The first flag that was given, with the equivalent key of a settings file.
    fn given(&self) -> Option<(&'static str, &'static str)>;

    /// Applies the flags to the settings of a namespace.
    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings;
}

const PUBLISH: (&str, &str) = ("--publish-user-events", "publishUserEvents");
const LANG: (&str, &str) = ("--lang", "lang");

/// Flags of commands that change users.
#[derive(Args)]
pub(super) struct ChangeFlags {
    /// Without a settings file: allow any text as a name, not only e-mail addresses
    #[arg(long, global = true)]
    use_non_email_identifier: bool,

    /// Without a settings file: allow MFA
    #[arg(long, global = true)]
    enable_mfa: bool,

    /// Without a settings file: publish events of changed users
    #[arg(long, global = true)]
    publish_user_events: bool,
}

impl SettingsOverrides for ChangeFlags {
    fn given(&self) -> Option<(&'static str, &'static str)> {
        first(&[
            (self.use_non_email_identifier, ("--use-non-email-identifier", "userAuthPolicy.useNonEmailIdentifier")),
            (self.enable_mfa, ("--enable-mfa", "userAuthPolicy.enableMfa")),
            (self.publish_user_events, PUBLISH),
        ])
    }

    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings {
        let name_kind = if self.use_non_email_identifier { NameKind::Any } else { NameKind::Email };
        settings.name_kind(name_kind).enable_mfa(self.enable_mfa).publish_user_events(self.publish_user_events)
    }
}

/// Flags of commands that read and deliver events.
#[derive(Args)]
pub(super) struct EventFlags {
    /// Without a settings file: the workspace id in events
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true, global = true)]
    workspace_id: String,
}

impl SettingsOverrides for EventFlags {
    fn given(&self) -> Option<(&'static str, &'static str)> {
        first(&[(!self.workspace_id.is_empty(), ("--workspace-id", "workspaceId"))])
    }

    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings {
        settings.workspace_id(&self.workspace_id)
    }
}

/// Flags of commands that send mails.
#[derive(Args)]
pub(super) struct MailFlags {
    /// Without a settings file: the language of mails and pages [default: en]
    #[arg(long, value_name = "LANG", value_parser = ["en", "ja"], hide_possible_values = true, global = true)]
    lang: Option<String>,
}

impl SettingsOverrides for MailFlags {
    fn given(&self) -> Option<(&'static str, &'static str)> {
        first(&[(self.lang.is_some(), LANG)])
    }

    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings {
        let lang = Lang::ALL.into_iter().find(|lang| self.lang.as_deref() == Some(lang.as_str())).unwrap_or_default();
        settings.lang(lang)
    }
}

/// Flags of the password-reset page.
#[derive(Args)]
pub(super) struct PageFlags {
    #[command(flatten)]
    mail: MailFlags,

    /// Without a settings file: publish events of changed users
    #[arg(long, global = true)]
    publish_user_events: bool,
}

impl SettingsOverrides for PageFlags {
    fn given(&self) -> Option<(&'static str, &'static str)> {
        self.mail.given().or_else(|| first(&[(self.publish_user_events, PUBLISH)]))
    }

    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings {
        self.mail.apply(settings).publish_user_events(self.publish_user_events)
    }
}

/// No flags, for commands that only read.
#[derive(Args)]
pub(super) struct NoFlags {}

impl SettingsOverrides for NoFlags {
    fn given(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    fn apply(&self, settings: NamespaceSettings) -> NamespaceSettings {
        settings
    }
}

/// The first flag whose condition is true.
fn first(flags: &[(bool, (&'static str, &'static str))]) -> Option<(&'static str, &'static str)> {
    flags.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
}
