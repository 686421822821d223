//! What an import means, and what to say of one that cannot be had.

use std::path::Path;

use url::Url;

use crate::idp::shortened;

/// The extensions of files that can be imported.
pub(super) const EXTENSIONS: [&str; 4] = ["js", "mjs", "ts", "mts"];

/// What Node has built in, without `node:`, and what a function script has in place of it.
const BUILT_INS: [(&[&str], &str); 7] = [
    (&["fs"], "function scripts have no file system"),
    (
        &["net", "tls", "dgram", "dns", "http", "http2", "https", "inspector"],
        "function scripts have no network of Node",
    ),
    (
        &["child_process", "cluster", "worker_threads", "process", "os", "v8", "vm"],
        "function scripts have nothing of the machine",
    ),
    (&["crypto"], "function scripts have the global `crypto` (WebCrypto)"),
    (&["buffer", "string_decoder"], "function scripts have Uint8Array, TextEncoder and TextDecoder"),
    (&["url", "querystring"], "function scripts have the globals URL and URLSearchParams"),
    (
        &[
            "assert",
            "async_hooks",
            "console",
            "constants",
            "diagnostics_channel",
            "events",
            "module",
            "path",
            "perf_hooks",
            "punycode",
            "readline",
            "repl",
            "sqlite",
            "stream",
            "test",
            "timers",
            "tty",
            "util",
            "wasi",
            "zlib",
        ],
        "function scripts have the web's APIs rather than Node's",
    ),
];

/// What an import asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A file, relative to the one that imports it.
    Local,
    /// Something that cannot be had, and the help for it.
    Other(String),
}

pub(super) fn request(import: &str) -> Request {
    if import.starts_with("./") || import.starts_with("../") {
        let reason = match import {
            _ if import.contains(['?', '#']) => "the name of a file has no query and no fragment here",
            _ if import.ends_with('/') => "name a file, not a folder",
            _ => return Request::Local,
        };
        return Request::Other(refusal(import, reason));
    }
    let name = import.strip_prefix("node:").unwrap_or(import);
    let top = name.split('/').next().unwrap_or_default();
    let built_in = BUILT_INS.iter().find(|(names, _)| names.contains(&top)).map(|(_, has)| *has);
    let reason = if import.starts_with("node:") || built_in.is_some() {
        format!(
            "{}; bundle what you import",
            built_in.unwrap_or("function scripts have the web's APIs rather than Node's")
        )
    } else if import.starts_with("npm:") || import.starts_with("jsr:") {
        "function scripts load no packages; bundle what you import".to_owned()
    } else if import.starts_with('/') || import.starts_with("file:") || import == "." || import == ".." {
        "files are imported by a relative path, such as ./users.js".to_owned()
    } else if let Ok(url) = Url::parse(import) {
        match url.scheme() {
            "http" | "https" => "function scripts load nothing from the network; bundle what you import".to_owned(),
            scheme => format!("function scripts load nothing from {scheme}: URLs; put the module into a file"),
        }
    } else {
        "function scripts load no packages; bundle what you import, or write ./ before the name of a file".to_owned()
    };
    Request::Other(refusal(import, reason))
}

pub(super) fn refusal(import: &str, reason: impl std::fmt::Display) -> String {
    format!("{:?} is not available: {reason}", shortened(import))
}

/// Of a relative import in a script that was not read from a file, or that the parser did not see.
pub(super) fn not_a_module(import: &str) -> String {
    match request(import) {
        Request::Local => refusal(
            import,
            "it is none of the script's modules; bundle what you import, or import local files by a literal name",
        ),
        Request::Other(help) => help,
    }
}

/// Of a file whose extension is none of [`EXTENSIONS`].
pub(super) fn unknown_extension(import: &str, extension: &str) -> String {
    let reason = match extension {
        "json" => "function scripts import no JSON; export the value from a .js file".to_owned(),
        "tsx" | "jsx" => "function scripts have no JSX; bundle it to JavaScript".to_owned(),
        "cjs" | "cts" => "function scripts have no CommonJS; bundle it to an ES module".to_owned(),
        _ => format!("only files that end in .{} are imported", EXTENSIONS.join(", .")),
    };
    refusal(import, reason)
}

/// Of a file that is not there. `path` is where it would be.
pub(super) fn missing(import: &str, path: &Path) -> String {
    let meant = meant(import, path).map(|name| format!("; did you mean {name:?}?"));
    refusal(import, format!("there is no such file{}", meant.unwrap_or_default()))
}

/// The import with the extension that a file beside `path` has.
fn meant(import: &str, path: &Path) -> Option<String> {
    let exists = |path: &Path| path.is_file();
    let appended = EXTENSIONS.iter().find_map(|extension| {
        let name = path.file_name()?.to_str()?;
        exists(&path.with_file_name(format!("{name}.{extension}"))).then(|| format!("{import}.{extension}"))
    });
    let index = || {
        let extension = EXTENSIONS.iter().find(|extension| exists(&path.join(format!("index.{extension}"))))?;
        Some(format!("{import}/index.{extension}"))
    };
    let swapped = || {
        let written = path.extension()?.to_str()?;
        let extension = EXTENSIONS.iter().find(|extension| exists(&path.with_extension(extension)))?;
        Some(format!("{}{extension}", import.strip_suffix(written)?))
    };
    appended.or_else(index).or_else(swapped)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn every_kind_of_import_has_its_own_help() {
        let help = |import| match request(import) {
            Request::Local => "local".to_owned(),
            Request::Other(help) => help,
        };
        let bundle = "bundle what you import";
        for (import, expected) in [
            ("./x.js", "local".to_owned()),
            ("../x.ts", "local".to_owned()),
            ("./x.js?v=1", r#""./x.js?v=1" is not available: the name of a file has no query and no fragment here"#.into()),
            ("./x/", r#""./x/" is not available: name a file, not a folder"#.into()),
            ("node:fs/promises", format!(r#""node:fs/promises" is not available: function scripts have no file system; {bundle}"#)),
            ("fs", format!(r#""fs" is not available: function scripts have no file system; {bundle}"#)),
            ("node:new", format!(r#""node:new" is not available: function scripts have the web's APIs rather than Node's; {bundle}"#)),
            ("npm:zod", format!(r#""npm:zod" is not available: function scripts load no packages; {bundle}"#)),
            ("@a/b", format!(r#""@a/b" is not available: function scripts load no packages; {bundle}, or write ./ before the name of a file"#)),
            ("https://a.b/c.js", format!(r#""https://a.b/c.js" is not available: function scripts load nothing from the network; {bundle}"#)),
            ("data:text/javascript,1", r#""data:text/javascript,1" is not available: function scripts load nothing from data: URLs; put the module into a file"#.into()),
            ("/x.js", r#""/x.js" is not available: files are imported by a relative path, such as ./users.js"#.into()),
        ] {
            assert_eq!(help(import), expected);
        }
    }
}
