//! Users, pages of users, and what may be asked for.

use std::fmt;
use std::sync::Arc;

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;

use super::IdpError;
use super::error::shortened;

/// A password as it came from a caller: wiped from memory when dropped, never printed.
pub type Password = secrecy::SecretString;

/// The name of a namespace: 3 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
///
/// ```
/// use tailor_idp::idp::NamespaceName;
///
/// assert!(NamespaceName::new("builtin-idp").is_ok());
/// assert!(NamespaceName::new("Builtin_IdP").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceName(Arc<str>);

/// What [`NamespaceName::new`] says of a name that is not of the form.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "a namespace name is 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends: got {0:?}"
)]
pub struct InvalidNamespaceName(pub String);

impl NamespaceName {
    /// Checks the form of `name`.
    pub fn new(name: &str) -> Result<Self, InvalidNamespaceName> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let of_the_form =
            (3..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-');
        if of_the_form { Ok(Self(name.into())) } else { Err(InvalidNamespaceName(shortened(name).into_owned())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for NamespaceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for NamespaceName {
    type Err = InvalidNamespaceName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

/// A moment, in milliseconds since the Unix epoch. Prints as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` after the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment by this machine's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// The moment that much later.
    #[must_use]
    pub fn after(self, time: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment that much earlier.
    #[must_use]
    pub fn before(self, time: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` it is; nothing where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Several times as fast as the formatting of `jiff::Timestamp`, which asks for the same text.
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => PRINTER.print_timestamp(&moment, StdFmtWrite(f)).map_err(|_| fmt::Error),
            // Only a store with damaged rows holds a year beyond 9999.
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// A user as scripts see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Opaque; ids of the embedded stores are UUIDv7, so that creation order is id order.
    pub id: String,
    /// Unique in its namespace.
    pub name: String,
    /// A disabled user cannot sign in.
    pub disabled: bool,
    /// When the user was created, where the store knows.
    pub created_at: Option<Timestamp>,
    /// True when the namespace has MFA on and the user has a factor.
    pub mfa_enrolled: bool,
    /// The factors that `unenroll_mfa` takes, oldest first.
    pub mfa_factor_ids: Vec<String>,
}

/// Which users a listing is about. Both filters combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Only users with one of these ids: at most 1000. An empty list matches nobody.
    pub ids: Option<Vec<String>>,
    /// Only users with one of these names: at most 1000. An empty list matches nobody.
    pub names: Option<Vec<String>>,
}

impl UserQuery {
    /// Entries of a filter at the most: each is a look-up.
    pub const MAX_ENTRIES: usize = 1000;

    /// Refuses a filter with too many entries.
    pub(crate) fn check_length(field: &str, length: usize) -> Result<(), IdpError> {
        if length <= Self::MAX_ENTRIES {
            return Ok(());
        }
        let max = Self::MAX_ENTRIES;
        Err(IdpError::invalid_argument(format!("{field} must have at most {max} entries: got {length}")))
    }
}

/// One page of a listing, please.
#[derive(Debug, Clone, Default)]
pub struct ListUsers {
    /// How many users at the most: 1 to 1000, 100 if not said.
    pub first: Option<i64>,
    /// The `next_page_token` of the page before.
    pub after: Option<String>,
    /// Which users.
    pub query: UserQuery,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The users, in creation order.
    pub users: Vec<User>,
    /// For the next page; `None` on the last page, and only there.
    pub next_page_token: Option<String>,
    /// How many users the query matches, whatever the page.
    pub total_count: u64,
}

/// A user to create.
#[derive(Debug, Default)]
pub struct CreateUser {
    /// An e-mail address, unless the namespace takes any identifier.
    pub name: String,
    /// Without one the user cannot sign in with a password until one is set.
    pub password: Option<Password>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
}

/// A change to a user; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct UpdateUser {
    /// Whom to change.
    pub id: String,
    /// A new name. Ends the user's reset links.
    pub name: Option<String>,
    /// A new password. Ends the user's reset links.
    pub password: Option<Password>,
    /// Takes the password away; excludes `password`. Ends the user's reset links.
    pub clear_password: bool,
    /// Disables or enables. Disabling ends the user's reset links.
    pub disabled: Option<bool>,
}

/// A password-reset mail to send.
#[derive(Debug, Clone, Default)]
pub struct SendPasswordResetEmail {
    /// Whom to mail.
    pub user_id: String,
    /// Where the browser goes after the reset: an absolute `http` or `https` URL.
    pub redirect_uri: String,
    /// The sender's name; at most 200 characters, no line breaks.
    pub from_name: Option<String>,
    /// The subject; at most 200 characters, no line breaks.
    pub subject: Option<String>,
}

/// An MFA factor to take from a user.
#[derive(Debug, Clone, Default)]
pub struct UnenrollMfa {
    /// Whose factor.
    pub user_id: String,
    /// One of the user's `mfa_factor_ids`.
    pub mfa_factor_id: String,
}
