//! Parsing of mails, as a mail program does it.

#![allow(dead_code, reason = "each package uses a part")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::{Captures, Regex};

/// The headers, unfolded.
pub(super) fn headers(raw: &str) -> Vec<(String, String)> {
    let head = raw.split_once("\r\n\r\n").unwrap().0;
    let unfolded = Regex::new("\r\n[ \t]").unwrap().replace_all(head, " ");
    unfolded.split("\r\n").map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

/// The only header with this name, decoded.
pub(super) fn header(raw: &str, name: &str) -> String {
    let found: Vec<_> = headers(raw).into_iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let joined = found[0].1.replace("?= =?utf-8?B?", "?==?utf-8?B?");
    let word = Regex::new(r"=\?utf-8\?B\?([^?]*)\?=").unwrap();
    let decode = |word: &Captures<'_>| String::from_utf8(BASE64_STANDARD.decode(&word[1]).unwrap()).unwrap();
    word.replace_all(&joined, decode).into_owned()
}

/// The part of this content type, decoded.
pub(super) fn part(raw: &str, content_type: &str) -> String {
    let boundary = Regex::new(r#"boundary="([^"]+)""#).unwrap().captures(raw).unwrap()[1].to_owned();
    let part = raw.split(&format!("--{boundary}")).find(|part| part.contains(&format!("Content-Type: {content_type}")));
    let (head, body) = part.unwrap_or_else(|| panic!("no {content_type}: {raw}")).split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    if head.contains("base64") {
        let bytes = BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap();
        String::from_utf8(bytes).unwrap()
    } else if head.contains("quoted-printable") {
        quoted_printable(body)
    } else {
        body.to_owned()
    }
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap() as u8;
        bytes.push(if byte == b'=' { digit() * 16 + digit() } else { byte });
    }
    String::from_utf8(bytes).unwrap()
}

/// The link in the text of the mail.
pub(super) fn link(raw: &str) -> String {
    let text = part(raw, "text/plain");
    Regex::new(r"https?://\S+token=[\w-]{43}").unwrap().find(&text).unwrap_or_else(|| panic!("{text}")).as_str().into()
}
