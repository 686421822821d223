//! Names of namespaces.

use std::fmt;
use std::sync::Arc;

use super::error::shortened;

/// The name of a namespace: 3 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
///
/// ```
/// use tailor_idp_core::NamespaceName;
///
/// assert!(NamespaceName::new("builtin-idp").is_ok());
/// assert!(NamespaceName::new("Builtin_IdP").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceName(Arc<str>);

/// The error of [`NamespaceName::new`]: a malformed name.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "a namespace name is 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends: got {0:?}"
)]
pub struct InvalidNamespaceName(pub String);

impl NamespaceName {
    /// A name of a valid form.
    ///
    /// # Errors
    ///
    /// [`InvalidNamespaceName`] with the name, shortened.
    pub fn new(name: &str) -> Result<Self, InvalidNamespaceName> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let of_the_form =
            (3..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-');
        if of_the_form { Ok(Self(name.into())) } else { Err(InvalidNamespaceName(shortened(name).into_owned())) }
    }

    /// The name as text.
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
