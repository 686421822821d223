//! Source maps, as bundlers put them at the end of a file.
//!
//! The engine applies them to stacks. It gets them from here, checked: a map is part of the script, and may hold anything.
//! What a map names is never read: the text of its sources is the one that it brings along.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use sourcemap::{DecodedMap, RawToken};
use url::Url;

const COMMENTS: [&str; 2] = ["//# sourceMappingURL=data:", "//@ sourceMappingURL=data:"];

/// Lines and columns beyond this are no text's.
const MAX_POSITION: u32 = i32::MAX as u32 - 1;

/// A source map that can do no harm.
#[derive(Debug)]
pub(super) struct CheckedMap {
    /// For the engine: its sources are absolute URLs.
    pub(super) json: Vec<u8>,
    /// The texts of the sources that the map brings along, by URL.
    pub(super) texts: HashMap<String, Arc<str>>,
}

impl CheckedMap {
    /// From a `data:` URL in the module; none if it is not a map.
    pub(super) fn decode(module: &Url, data_url: &str) -> Option<Self> {
        // Other than the library, which knows no other charset's spelling, parameters are passed over.
        let (parameters, base64) = data_url.split_once(";base64,")?;
        parameters.strip_prefix("data:application/json")?;
        let map = match sourcemap::decode_data_url(&format!("data:application/json;base64,{base64}")) {
            Ok(DecodedMap::Regular(map)) => map,
            Ok(_) => return None,
            Err(error) => {
                tracing::debug!(%module, %error, "a source map is broken");
                return None;
            }
        };
        // A relative name is relative to the module; what makes no URL at all is shown as the module.
        let url = |name: &str| module.join(name).map_or_else(|_| module.to_string(), String::from);
        let sources: Vec<Arc<str>> = map.sources().map(|name| url(name).into()).collect();
        let mut texts = HashMap::new();
        for (index, source) in (0..).zip(&sources) {
            if let Some(text) = map.get_source_contents(index) {
                texts.insert(source.to_string(), text.into());
            }
        }
        let sound = |token: &RawToken| {
            let positions = [token.dst_line, token.dst_col, token.src_line, token.src_col];
            (token.src_id as usize) < sources.len() && positions.iter().all(|position| *position <= MAX_POSITION)
        };
        // Where a line has no source, the engine would take it for line 0.
        let tokens = map.tokens().map(|token| token.get_raw_token()).filter(sound);
        let tokens = tokens.map(|token| RawToken { name_id: !0, is_range: false, ..token }).collect();
        let mut json = Vec::new();
        sourcemap::SourceMap::new(None, tokens, Vec::new(), sources, None).to_writer(&mut json).ok()?;
        Some(Self { json, texts })
    }
}

/// Bytes of an inline source map, as it is written: those of large bundles have some. A larger one is left out.
const MAX_INLINE: usize = 16 * 1024 * 1024;

/// The code without its inline source maps, and the URL of the last of them, which is the one that holds.
///
/// Lines and columns stay as they are.
pub(super) fn take_inline(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let mut kept = Vec::new();
    let (mut from, mut url) = (0, None);
    let mut found: Vec<_> = COMMENTS.iter().flat_map(|comment| text.match_indices(comment)).collect();
    found.sort_unstable();
    for (start, comment) in found {
        // In a line that has been looked at.
        if start < from {
            continue;
        }
        let data = start + comment.len() - "data:".len();
        let end = text[data..].find(['\n', '\r', '\u{2028}', '\u{2029}']).map_or(text.len(), |end| data + end);
        let value = text[data..end].trim_end();
        // Within a string this is no comment: the string has an end.
        if value.contains(['"', '\'', '`', ' ']) {
            kept.push(&text[from..end]);
            from = end;
        } else {
            kept.push(&text[from..start]);
            (from, url) = (end, Some(value).filter(|value| value.len() <= MAX_INLINE));
        }
    }
    if url.is_none() {
        return (Cow::Borrowed(text), None);
    }
    kept.push(&text[from..]);
    (Cow::Owned(kept.concat()), url)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn module() -> Url {
        "file:///work/dist/main.js".parse().unwrap()
    }

    fn decode(map: &serde_json::Value) -> Option<CheckedMap> {
        CheckedMap::decode(&module(), &format!("data:application/json;base64,{}", STANDARD.encode(map.to_string())))
    }

    #[test]
    fn comments_upon_comments_are_read_once() {
        // In one line, each is in the value of the one before, which is no value with blanks in it.
        let text = "//# sourceMappingURL=data:".repeat(100_000);
        assert!(take_inline(&text) == (text.as_str().into(), None));
    }

    #[test]
    fn the_last_map_holds_and_none_is_left_in_the_code() {
        let text = "a\n//# sourceMappingURL=data:application/json;base64,QQ==\nb //@ sourceMappingURL=data:x\r\n";
        assert_eq!(take_inline(text), ("a\n\nb \r\n".into(), Some("data:x")));
        let none = "let a = '//# sourceMappingURL=data:x';\n//# sourceMappingURL=main.js.map\n";
        assert_eq!(take_inline(none), (none.into(), None));
    }

    #[test]
    fn sources_are_urls_and_bring_their_text() {
        let sources = json!(["../src/a.ts", "webpack://app/b.ts", null]);
        let map =
            json!({ "version": 3, "sources": sources, "sourcesContent": ["a", null], "names": [], "mappings": "AAAA" });
        let map = decode(&map).unwrap();
        assert_eq!(map.texts, HashMap::from([("file:///work/src/a.ts".to_owned(), "a".into())]));
        let json: serde_json::Value = serde_json::from_slice(&map.json).unwrap();
        assert_eq!(
            json["sources"],
            json!(["file:///work/src/a.ts", "webpack://app/b.ts", "file:///work/dist/main.js"])
        );
        assert_eq!(json["mappings"], "AAAA");
    }

    #[test]
    fn what_a_map_says_of_no_line_is_left_out() {
        // A segment without a source, and one whose line is negative.
        let map = json!({ "version": 3, "sources": ["a.ts"], "names": [], "mappings": "A,CAAA,CADA,EACA" });
        let map = decode(&map).unwrap();
        let map = sourcemap::SourceMap::from_slice(&map.json).unwrap();
        let lines: Vec<_> = map.tokens().map(|token| (token.get_dst_col(), token.get_src_line())).collect();
        assert_eq!(lines, [(1, 0), (4, 0)]);
    }

    #[test]
    fn what_is_no_map_is_none() {
        assert!(decode(&json!({ "version": 3, "sources": ["a.ts"], "names": [], "mappings": "AZZZ" })).is_none());
        assert!(decode(&json!({ "version": 3, "sections": [] })).is_none());
        assert!(decode(&json!("no")).is_none());
        for url in
            ["data:", "data:application/json;base64,%%%", "data:application/json,{}", "data:text/plain;base64,QQ=="]
        {
            assert!(CheckedMap::decode(&module(), url).is_none(), "{url}");
        }
    }
}
