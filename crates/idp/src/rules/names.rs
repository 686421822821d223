//! Names of users: the normal form in which they are stored and looked up, and the check of new names.

use std::iter;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::NameKind;
use crate::model::IdpError;

/// The maximum length of an e-mail address in characters, as in the identity service behind the platform.
const MAX_EMAIL_CHARS: usize = 254;
/// The maximum length of the part before the `@` in characters (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL_CHARS: usize = 64;
/// The maximum length of any other name in characters: enough for employee numbers and handles, short enough for an index.
const MAX_NAME_CHARS: usize = 256;

/// The maximum length of a name before it is normalised, in bytes. Mapping a domain takes more than linear time, and cannot be
/// interrupted. Every name that a user can have fits in every composition of its characters: 256 of 4 bytes, at most three times as
/// long before NFC.
const MAX_GIVEN_BYTES: usize = 4096;

impl NameKind {
    /// The form in which a name is stored, looked up and compared by policies. Does not check whether the name is allowed:
    /// a text that is no e-mail address has a normal form, too. A text of more than 4096 bytes is its own: no user has such a name.
    pub fn normalize(self, name: &str) -> String {
        self.map(name).normal
    }

    /// Checks a name for a new or renamed user, and returns its normal form.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::model::Code::InvalidArgument) with the reason.
    pub fn validate(self, name: &str) -> Result<String, IdpError> {
        let mapped = self.map(name);
        match self.fault(name, &mapped) {
            Some(fault) => Err(IdpError::invalid_argument(fault)),
            None => Ok(mapped.normal),
        }
    }

    fn map(self, name: &str) -> Mapped {
        match self {
            _ if name.len() > MAX_GIVEN_BYTES => Mapped { normal: name.to_owned(), is_address: false },
            Self::Email => match address(name) {
                Some((local, domain)) => Mapped { normal: format!("{local}@{domain}"), is_address: true },
                None => Mapped { normal: lower_case(name), is_address: false },
            },
            Self::Any => Mapped { normal: name.nfc().collect(), is_address: false },
        }
    }

    /// What keeps a name from being that of a new user.
    fn fault(self, name: &str, mapped: &Mapped) -> Option<String> {
        let Mapped { normal, is_address: _ } = mapped;
        let (max, length) = (self.max_chars(), normal.chars().count());
        if length > max {
            return Some(format!("name must be at most {max} characters: got {length}"));
        }
        match self {
            Self::Email => email_fault(name, mapped),
            Self::Any if normal.is_empty() => Some("name must not be empty".to_owned()),
            Self::Any => normal
                .chars()
                .any(char::is_control)
                .then(|| format!("name must not contain control characters: got {name:?}")),
        }
    }

    const fn max_chars(self) -> usize {
        match self {
            Self::Email => MAX_EMAIL_CHARS,
            Self::Any => MAX_NAME_CHARS,
        }
    }
}

/// A name in its normal form.
struct Mapped {
    normal: String,
    /// Whether it is an e-mail address, whose local part is not checked.
    is_address: bool,
}

/// The forms under which the user with a given name can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameForms {
    /// The [normal form](NameKind::normalize).
    pub(crate) normal: String,
    /// The normal form of earlier versions, where it differs: users who are in a database already keep their names.
    pub(crate) former: Option<String>,
}

impl NameForms {
    pub(crate) fn of(kind: NameKind, name: &str) -> Self {
        Self::from_normal(kind, name, kind.map(name).normal)
    }

    /// The forms, and the error of [`NameKind::validate`]. Maps the name once.
    pub(crate) fn validated(kind: NameKind, name: &str) -> (Self, Result<(), IdpError>) {
        let mapped = kind.map(name);
        let fault = kind.fault(name, &mapped);
        let checked = fault.map_or(Ok(()), |fault| Err(IdpError::invalid_argument(fault)));
        (Self::from_normal(kind, name, mapped.normal), checked)
    }

    fn from_normal(kind: NameKind, name: &str, normal: String) -> Self {
        // ASCII was lower-cased before, and is now. No stored name is longer than the bound.
        let can_differ = kind == NameKind::Email && !name.is_ascii() && name.len() <= MAX_GIVEN_BYTES;
        let former = can_differ.then(|| name.to_lowercase()).filter(|former| *former != normal);
        Self { normal, former }
    }

    /// The forms, in the order in which they are looked up: who is stored in exactly the spelling that is asked for comes first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.former.iter().chain(iter::once(&self.normal)).map(String::as_str)
    }
}

/// The normal form of a domain: in ASCII by UTS 46, lower-cased. `None` for what is no domain of e-mail addresses: it has letters,
/// digits and inner hyphens, labels of at most 63 characters, at least one dot, and none at its end.
pub(super) fn domain(domain: &str) -> Option<String> {
    let hyphens = Hyphens::CheckFirstLast;
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, hyphens, DnsLength::Verify).ok()?;
    ascii.contains('.').then(|| ascii.into_owned())
}

/// Whether the name is an address that mail can be sent to: also one with a quoted local part, which new names cannot have.
pub(super) fn is_address(name: &str) -> bool {
    let is_text = |local: &str| !local.is_empty() && !local.chars().any(|c| c.is_whitespace() || c.is_control());
    address(name).is_some_and(|(local, _)| is_text(&local))
}

/// The parts of an e-mail address in their normal forms. Does not check the local part.
fn address(name: &str) -> Option<(String, String)> {
    let (local, given) = name.rsplit_once('@')?;
    Some((lower_case(local), domain(given)?))
}

/// Lower-cased and NFC-normalised. NFC twice: the lower case of a composed character can be decomposed.
fn lower_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// What keeps a name from being an e-mail address.
fn email_fault(name: &str, mapped: &Mapped) -> Option<String> {
    let no_email = || format!("name must be an e-mail address: got {name:?}");
    let Some((local, _)) = mapped.normal.rsplit_once('@').filter(|_| mapped.is_address) else {
        return Some(no_email());
    };
    let length = local.chars().count();
    if length > MAX_LOCAL_CHARS {
        return Some(format!("name must have at most {MAX_LOCAL_CHARS} characters before the @: got {length}"));
    }
    (!is_dot_atom(local)).then(no_email)
}

/// Whether the local part needs no quotes (RFC 5322, section 3.2.3; RFC 6532 adds what is not ASCII). A quoted one would be another
/// spelling of the same mailbox.
fn is_dot_atom(local: &str) -> bool {
    let atext = |c: char| match c {
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}'
        | '~' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => !c.is_whitespace() && !c.is_control(),
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn valid(name: &str) -> String {
        NameKind::Email.validate(name).unwrap_or_else(|error| panic!("{name:?}: {error}"))
    }

    fn refusal(kind: NameKind, name: &str) -> String {
        kind.validate(name).unwrap_err().detail().to_owned()
    }

    fn no_email(name: &str) -> String {
        format!("name must be an e-mail address: got {name:?}")
    }

    #[test]
    fn email_names_are_lower_cased_and_not_trimmed() {
        assert_eq!(valid("Ana.Ünal@Example.COM"), "ana.ünal@example.com");
        for name in [" ana@example.com", "ana@example.com ", "ana@example.com.", "ana@\u{3000}example.com"] {
            assert_eq!(refusal(NameKind::Email, name), no_email(name));
        }
    }

    #[test]
    fn every_spelling_of_a_mailbox_has_one_normal_form() {
        for (normal, spellings) in [
            ("ana@example.com", &["ana@ｅxample.com", "ANA@ＥＸＡＭＰＬＥ．ＣＯＭ", "ana@exam\u{ad}ple。com"][..]),
            (
                "x@xn--bcher-kva.example",
                &["x@bücher.example", "X@BÜCHER.example", "x@bu\u{308}cher.example", "x@XN--Bcher-KVA.Example"],
            ),
            ("caf\u{e9}@example.com", &["cafe\u{301}@example.com", "CAFÉ@example.com", "CAFE\u{301}@ｅxample.com"]),
            ("x@xn--strae-oqa.example", &["x@straße.example"]),
        ] {
            for name in spellings.iter().chain([&normal]) {
                assert_eq!(valid(name), normal, "{name}");
                assert_eq!(NameKind::Email.normalize(name), normal, "{name}");
            }
        }
        // Compatibility forms of a local part are other mailboxes.
        assert_eq!(valid("ａｎａ@example.com"), "ａｎａ@example.com");
    }

    #[test]
    fn email_names_reject_everything_else() {
        for name in [
            "",
            "@",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "ana@exam ple.com",
            "ana@exam_ple.com",
            "ana@-example.com",
            "ana@example-.com",
            "ana@.example.com",
            "ana@xn--a.com",
            "ana@@example.com",
            "ana＠example.com",
            ".ana@example.com",
            "a..na@example.com",
            "a na@example.com",
            "a\u{a0}na@example.com",
            "Ana <ana@example.com>",
            "ana@[127.0.0.1]",
            "ana@example.com\r\nbcc: x@example.com",
            "\"ana\"@example.com",
            "\"a b\"@example.com",
            "\"a@b\"@example.com",
            "ana\\@b@example.com",
        ] {
            assert_eq!(refusal(NameKind::Email, name), no_email(name));
        }
        for name in ["!#$%&'*+-/=?^_`{|}~@example.com", "a@b.c", "日本語@example.com", "a@a--b.example"] {
            assert_eq!(valid(name), name);
        }
    }

    #[test]
    fn names_are_limited_in_length() {
        // A local part has at most 64 characters, a label of a domain at most 63.
        let email = |label: usize| {
            format!("{}@{}.{}.{}.com", "l".repeat(64), "d".repeat(63), "d".repeat(63), "d".repeat(label))
        };
        assert_eq!(email(57).len(), 254);
        assert_eq!(valid(&email(57)), email(57));
        assert_eq!(refusal(NameKind::Email, &email(58)), "name must be at most 254 characters: got 255");
        assert_eq!(refusal(NameKind::Email, &"l".repeat(300)), "name must be at most 254 characters: got 300");
        // The limit holds for the normal form.
        let domain = |umlauts: usize| {
            format!("{}@{}.example.com", "l".repeat(64), ["ü.".repeat(umlauts), "d".repeat(50)].concat())
        };
        assert_eq!(valid(&domain(14)).len(), 64 + 1 + 14 * 8 + 50 + 12);
        assert_eq!(refusal(NameKind::Email, &domain(16)), "name must be at most 254 characters: got 255");

        assert_eq!(valid(&format!("{}@example.com", "é".repeat(64))).chars().count(), 76);
        let long = format!("{}@example.com", "é".repeat(65));
        assert_eq!(refusal(NameKind::Email, &long), "name must have at most 64 characters before the @: got 65");

        assert!(NameKind::Any.validate(&"名".repeat(256)).is_ok());
        assert_eq!(refusal(NameKind::Any, &"名".repeat(257)), "name must be at most 256 characters: got 257");
    }

    #[test]
    fn names_that_no_user_can_have_are_refused_and_looked_up_without_being_mapped() {
        // Each label takes the mapping of a domain milliseconds.
        let long = format!("ANA@{}com", format!("{}.", "É".repeat(900)).repeat(500));
        let length = long.chars().count();
        for (kind, max) in [(NameKind::Email, 254), (NameKind::Any, 256)] {
            assert_eq!(refusal(kind, &long), format!("name must be at most {max} characters: got {length}"));
            assert_eq!(kind.normalize(&long), long);
            assert_eq!(NameForms::of(kind, &long), NameForms { normal: long.clone(), former: None });
        }
        // The longest composition of a name is within the bound.
        let decomposed = "\u{3b9}\u{308}\u{301}".repeat(256);
        assert_eq!(NameKind::Any.validate(&decomposed).unwrap(), "\u{390}".repeat(256));
    }

    #[test]
    fn validated_forms_agree_with_the_forms_and_the_check() {
        for kind in [NameKind::Email, NameKind::Any] {
            for name in ["Ana@Example.com", "X@Bücher.example", "ana", "", "a\u{7}b", "\"ana\"@example.com"] {
                let (forms, checked) = NameForms::validated(kind, name);
                assert_eq!(forms, NameForms::of(kind, name));
                let fault = |error: IdpError| error.detail().to_owned();
                assert_eq!(checked.map(|()| forms.normal).map_err(fault), kind.validate(name).map_err(fault));
            }
        }
    }

    #[test]
    fn other_names_keep_case_and_are_nfc_normalised() {
        assert_eq!(NameKind::Any.validate("Cafe\u{301}").unwrap(), "Caf\u{e9}");
        assert_eq!(NameKind::Any.validate("\"Ana\"@ｅxample.com").unwrap(), "\"Ana\"@ｅxample.com");
        assert_eq!(refusal(NameKind::Any, ""), "name must not be empty");
        assert_eq!(refusal(NameKind::Any, "a\u{7}b"), r#"name must not contain control characters: got "a\u{7}b""#);
    }

    #[test]
    fn mail_can_be_sent_to_addresses_that_new_names_cannot_have() {
        for name in ["ana@example.com", "\"ana\"@example.com", "x@bücher.example"] {
            assert!(is_address(name), "{name}");
        }
        for name in
            ["", "ana", "@example.com", "ana@example", "a b@example.com", "ana@example.com\r\nbcc: x@example.com"]
        {
            assert!(!is_address(name), "{name}");
        }
    }

    #[test]
    fn names_have_a_former_form_only_where_it_differs() {
        let forms = |name| NameForms::of(NameKind::Email, name).iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(forms("Ana@Example.com"), ["ana@example.com"]);
        assert_eq!(forms("Ünal@example.com"), ["ünal@example.com"]);
        assert_eq!(forms("\"Ana\"@example.com"), ["\"ana\"@example.com"]);
        assert_eq!(forms("X@xn--bcher-kva.example"), ["x@xn--bcher-kva.example"]);
        assert_eq!(forms("Ana@Ｅxample.com"), ["ana@ｅxample.com", "ana@example.com"]);
        assert_eq!(forms("X@Bücher.example"), ["x@bücher.example", "x@xn--bcher-kva.example"]);
        assert_eq!(forms("\"Ana\"@Bücher.example"), ["\"ana\"@bücher.example", "\"ana\"@xn--bcher-kva.example"]);
        assert_eq!(forms("E\u{301}@example.com"), ["e\u{301}@example.com", "\u{e9}@example.com"]);
        let any = NameForms::of(NameKind::Any, "E\u{301}");
        assert_eq!(any, NameForms { normal: "\u{c9}".to_owned(), former: None });
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn normal_forms_are_their_own(name in prop_oneof!["\\PC*", "[a-zß-ſΑ-ωЀ-ӿ\u{300}-\u{36f}ﬁ-ﬆＡ-ｚ.-]{0,8}@[a-zß-ſΑ-ωЀ-ӿ\u{300}-\u{36f}Ａ-ｚ.。-]{0,12}\\.com"]) {
            for kind in [NameKind::Email, NameKind::Any] {
                let normal = kind.normalize(&name);
                prop_assert_eq!(&kind.normalize(&normal), &normal);
                if let Ok(valid) = kind.validate(&name) {
                    prop_assert_eq!(&valid, &normal);
                    prop_assert_eq!(kind.validate(&normal).unwrap(), valid);
                    prop_assert_eq!(NameForms::of(kind, &normal).former, None);
                }
            }
        }
    }
}
