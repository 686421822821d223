//! Inline source maps, as bundlers append them to a file.
//!
//! V8 applies source maps to stack traces. A map is part of the script and thus untrusted: it is validated and rewritten before
//! V8 gets it. Files that a map names are never read; source text comes from the map itself.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sourcemap::{DecodedMap, RawToken};
use thiserror::Error;
use url::Url;

const COMMENTS: [&str; 2] = ["//# sourceMappingURL=data:", "//@ sourceMappingURL=data:"];

/// Largest valid line or column. V8 uses 32-bit signed integers.
const MAX_POSITION: u32 = i32::MAX as u32 - 1;

/// A validated inline source map.
#[derive(Debug)]
pub(super) struct InlineMap {
    /// The map for V8, as JSON. Its sources are absolute URLs.
    pub(super) json: Vec<u8>,
    /// Source texts embedded in the map, by URL.
    pub(super) sources: HashMap<String, Arc<str>>,
}

impl InlineMap {
    /// Decodes a `data:` URL found in the module. None if it is not a valid map.
    pub(super) fn decode(module: &Url, data_url: &str) -> Option<Self> {
        // The library accepts only some spellings of the charset parameter: drop all parameters.
        let (parameters, base64) = data_url.split_once(";base64,")?;
        parameters.strip_prefix("data:application/json")?;
        let map = match decode_within_limits(base64) {
            Ok(DecodedMap::Regular(map)) => map,
            Ok(_) => return None,
            Err(error) => {
                tracing::debug!(%module, %error, "a source map is not used");
                return None;
            }
        };
        // Names are resolved against the module's URL. A name that yields no URL is shown as the module.
        let url = |name: &str| module.join(name).map_or_else(|_| module.to_string(), String::from);
        let urls: Vec<Arc<str>> = map.sources().map(|name| url(name).into()).collect();
        let mut sources = HashMap::new();
        for (index, url) in (0..).zip(&urls) {
            if let Some(text) = map.get_source_contents(index) {
                sources.insert(url.to_string(), text.into());
            }
        }
        let is_valid = |token: &RawToken| {
            let positions = [token.dst_line, token.dst_col, token.src_line, token.src_col];
            (token.src_id as usize) < urls.len() && positions.iter().all(|position| *position <= MAX_POSITION)
        };
        // V8 maps a token without a source to line 0: drop it.
        let tokens = map.tokens().map(|token| token.get_raw_token()).filter(is_valid);
        let tokens = tokens.map(|token| RawToken { name_id: !0, is_range: false, ..token }).collect();
        let mut json = Vec::new();
        sourcemap::SourceMap::new(None, tokens, Vec::new(), urls, None).to_writer(&mut json).ok()?;
        Some(Self { json, sources })
    }
}

/// Most segments of a source map. Each takes about 100 bytes while it is read; a bundle of a megabyte has some 100,000.
const MAX_SEGMENTS: usize = 1_000_000;

/// Most names of a source map, which are not used.
const MAX_NAMES: usize = 1_000_000;

/// Longest names of all sources of a map, each with the root, in bytes.
const MAX_SOURCE_NAMES_LEN: usize = 4 * 1024 * 1024;

/// Reason why a source map is not used.
#[derive(Debug, Error)]
enum MapFault {
    #[error("it is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("it is not a source map: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is broken: {0}")]
    Broken(#[from] sourcemap::Error),
    #[error("it consists of sections")]
    Sections,
    #[error("it has {0} segments, of at most {MAX_SEGMENTS}")]
    Segments(usize),
    #[error("it has {0} names, of at most {MAX_NAMES}")]
    Names(usize),
    #[error("the names of its sources have {0} bytes, of at most {MAX_SOURCE_NAMES_LEN}")]
    SourceNames(usize),
}

/// The members of a source map that determine how much memory it needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MapSize<'a> {
    #[serde(borrow, default)]
    sources: Vec<Option<Cow<'a, str>>>,
    #[serde(borrow)]
    source_root: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mappings: Cow<'a, str>,
    names: Option<Vec<IgnoredAny>>,
    /// Other maps, of which each has its own members.
    sections: Option<IgnoredAny>,
}

impl MapSize<'_> {
    fn check(&self) -> Result<(), MapFault> {
        if self.sections.is_some() {
            return Err(MapFault::Sections);
        }
        let segments = self.mappings.bytes().filter(|byte| matches!(byte, b',' | b';')).count();
        if segments > MAX_SEGMENTS {
            return Err(MapFault::Segments(segments));
        }
        let names = self.names.as_ref().map_or(0, Vec::len);
        if names > MAX_NAMES {
            return Err(MapFault::Names(names));
        }
        // The library writes the root before each name.
        let root = self.source_root.as_ref().map_or(0, |root| root.len());
        let len = self.sources.iter().map(|source| root + source.as_ref().map_or(0, |source| source.len())).sum();
        if len > MAX_SOURCE_NAMES_LEN {
            return Err(MapFault::SourceNames(len));
        }
        Ok(())
    }
}

fn decode_within_limits(base64: &str) -> Result<DecodedMap, MapFault> {
    let json = STANDARD.decode(base64)?;
    serde_json::from_slice::<MapSize<'_>>(&json)?.check()?;
    Ok(sourcemap::decode_slice(&json)?)
}

/// Largest inline source map, in bytes of its `data:` URL. Larger maps are ignored.
const MAX_INLINE_BYTES: usize = 16 * 1024 * 1024;

/// Removes inline source maps from the code. Returns the remaining code and the URL of the last map, which is the effective
/// one.
///
/// Lines and columns do not change.
pub(super) fn take_inline(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let mut kept = Vec::new();
    let (mut from, mut url) = (0, None);
    let mut found: Vec<_> = COMMENTS.iter().flat_map(|comment| text.match_indices(comment)).collect();
    found.sort_unstable();
    for (start, comment) in found {
        // Inside a value that was already read.
        if start < from {
            continue;
        }
        let data = start + comment.len() - "data:".len();
        let end = text[data..].find(['\n', '\r', '\u{2028}', '\u{2029}']).map_or(text.len(), |end| data + end);
        let value = text[data..end].trim_end();
        // A quote or a space after the marker means that it is inside a string, not a comment.
        if value.contains(['"', '\'', '`', ' ']) {
            kept.push(&text[from..end]);
            from = end;
        } else {
            kept.push(&text[from..start]);
            (from, url) = (end, Some(value).filter(|value| value.len() <= MAX_INLINE_BYTES));
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
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn module() -> Url {
        "file:///work/dist/main.js".parse().unwrap()
    }

    fn decode(map: &serde_json::Value) -> Option<InlineMap> {
        InlineMap::decode(&module(), &format!("data:application/json;base64,{}", STANDARD.encode(map.to_string())))
    }

    #[test]
    fn take_inline_is_linear_for_repeated_markers() {
        // All markers are on one line: each is part of the value of the one before, which is invalid since it contains spaces.
        let text = "//# sourceMappingURL=data:".repeat(100_000);
        assert!(take_inline(&text) == (text.as_str().into(), None));
    }

    #[test]
    fn take_inline_removes_all_maps_and_returns_the_last() {
        let text = "a\n//# sourceMappingURL=data:application/json;base64,QQ==\nb //@ sourceMappingURL=data:x\r\n";
        assert_eq!(take_inline(text), ("a\n\nb \r\n".into(), Some("data:x")));
        let none = "let a = '//# sourceMappingURL=data:x';\n//# sourceMappingURL=main.js.map\n";
        assert_eq!(take_inline(none), (none.into(), None));
    }

    #[test]
    fn decode_resolves_sources_and_extracts_their_text() {
        let sources = json!(["../src/a.ts", "webpack://app/b.ts", null]);
        let map =
            json!({ "version": 3, "sources": sources, "sourcesContent": ["a", null], "names": [], "mappings": "AAAA" });
        let map = decode(&map).unwrap();
        assert_eq!(map.sources, HashMap::from([("file:///work/src/a.ts".to_owned(), "a".into())]));
        let json: serde_json::Value = serde_json::from_slice(&map.json).unwrap();
        assert_eq!(
            json["sources"],
            json!(["file:///work/src/a.ts", "webpack://app/b.ts", "file:///work/dist/main.js"])
        );
        assert_eq!(json["mappings"], "AAAA");
    }

    #[test]
    fn decode_drops_tokens_without_a_valid_position() {
        // A segment without a source, and one whose line is negative.
        let map = json!({ "version": 3, "sources": ["a.ts"], "names": [], "mappings": "A,CAAA,CADA,EACA" });
        let map = decode(&map).unwrap();
        let map = sourcemap::SourceMap::from_slice(&map.json).unwrap();
        let lines: Vec<_> = map.tokens().map(|token| (token.get_dst_col(), token.get_src_line())).collect();
        assert_eq!(lines, [(1, 0), (4, 0)]);
    }

    #[test]
    fn decode_refuses_maps_beyond_their_limits_before_they_grow() {
        let fault = |map: &serde_json::Value| decode_within_limits(&STANDARD.encode(map.to_string())).map(drop);
        let message = |map| fault(&map).unwrap_err().to_string();
        let sources = vec![""; 20_000];
        assert_eq!(
            message(json!({ "version": 3, "sources": sources, "sourceRoot": "x".repeat(1000), "mappings": "" })),
            "the names of its sources have 20000000 bytes, of at most 4194304"
        );
        assert_eq!(
            message(json!({ "version": 3, "sources": ["a"], "mappings": "A,".repeat(1_000_001) })),
            "it has 1000001 segments, of at most 1000000"
        );
        assert_eq!(
            message(json!({ "version": 3, "sources": ["a"], "names": vec![0; 1_000_001], "mappings": "" })),
            "it has 1000001 names, of at most 1000000"
        );
        let mut deep = json!({ "offset": { "line": 0, "column": 0 } });
        for _ in 0..100 {
            deep = json!({ "version": 3, "sections": [{ "offset": { "line": 0, "column": 0 }, "map": deep }] });
        }
        assert_eq!(message(deep), "it consists of sections");
        assert!(fault(&json!({ "version": 3, "sources": [null, "a"], "names": ["b"], "mappings": "AAAAA" })).is_ok());
    }

    #[test]
    fn decode_returns_none_for_invalid_maps() {
        assert!(decode(&json!({ "version": 3, "sources": ["a.ts"], "names": [], "mappings": "AZZZ" })).is_none());
        assert!(decode(&json!({ "version": 3, "sections": [] })).is_none());
        assert!(decode(&json!("no")).is_none());
        for url in
            ["data:", "data:application/json;base64,%%%", "data:application/json,{}", "data:text/plain;base64,QQ=="]
        {
            assert!(InlineMap::decode(&module(), url).is_none(), "{url}");
        }
    }
}
