//! Kinds of names.

/// The kind of names in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameKind {
    /// E-mail addresses, lower-cased.
    #[default]
    Email,
    /// Any text of at most 256 characters without control characters, NFC-normalised, case-sensitive
    /// (`useNonEmailIdentifier`).
    Any,
}
