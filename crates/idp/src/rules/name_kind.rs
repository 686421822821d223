//! Kinds of names.

/// The kind of names in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameKind {
    /// E-mail addresses of at most 254 characters, lower-cased and NFC-normalised, the domain in ASCII (UTS 46). The local part has
    /// 1 to 64 characters without quotes.
    #[default]
    Email,
    /// Any text of at most 256 characters without control characters, NFC-normalised, case-sensitive
    /// (`useNonEmailIdentifier`).
    Any,
}
