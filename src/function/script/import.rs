//! Import specifiers: classification, and messages for imports that are not supported.

use std::path::Path;

use url::Url;

use crate::idp::shortened;

/// Extensions of files that can be imported.
pub(super) const EXTENSIONS: [&str; 4] = ["js", "mjs", "ts", "mts"];

/// Node's built-in modules, without `node:`, and the replacement for each in function scripts.
const NODE_BUILT_INS: [(&[&str], &str); 7] = [
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

/// Kind of an import specifier.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SpecifierKind {
    /// Path of a file, relative to the importing module.
    RelativePath,
    /// Not supported, with the error message.
    Unsupported(String),
}

/// Classifies a specifier by its syntax, without access to files.
pub(super) fn classify(specifier: &str) -> SpecifierKind {
    if specifier.starts_with("./") || specifier.starts_with("../") {
        let reason = match specifier {
            _ if specifier.contains(['?', '#']) => "the name of a file has no query and no fragment here",
            _ if specifier.ends_with('/') => "name a file, not a folder",
            _ => return SpecifierKind::RelativePath,
        };
        return SpecifierKind::Unsupported(refusal(specifier, reason));
    }
    let name = specifier.strip_prefix("node:").unwrap_or(specifier);
    let top = name.split('/').next().unwrap_or_default();
    let replacement =
        NODE_BUILT_INS.iter().find(|(names, _)| names.contains(&top)).map(|(_, replacement)| *replacement);
    let reason = if specifier.starts_with("node:") || replacement.is_some() {
        let instead = replacement.unwrap_or("function scripts have the web's APIs rather than Node's");
        format!("it is a module of Node.js, and {instead}; bundle a package that does not need it")
    } else if specifier.starts_with("npm:") || specifier.starts_with("jsr:") {
        "function scripts load no packages; bundle what you import".to_owned()
    } else if specifier.starts_with('/') || specifier.starts_with("file:") || specifier == "." || specifier == ".." {
        "files are imported by a relative path, such as ./users.js".to_owned()
    } else if let Ok(url) = Url::parse(specifier) {
        match url.scheme() {
            "http" | "https" => "function scripts load nothing from the network; bundle what you import".to_owned(),
            scheme => format!("function scripts load nothing from {scheme}: URLs; put the module into a file"),
        }
    } else {
        "function scripts load no packages; bundle what you import, or write ./ before the name of a file".to_owned()
    };
    SpecifierKind::Unsupported(refusal(specifier, reason))
}

/// Error message of an import that is refused.
pub(super) fn refusal(specifier: &str, reason: impl std::fmt::Display) -> String {
    format!("{:?} is not available: {reason}", shortened(specifier))
}

/// Error message of a relative import in a script that was not read from a file, or that the parser did not find.
pub(super) fn not_a_module(specifier: &str) -> String {
    match classify(specifier) {
        SpecifierKind::RelativePath => refusal(
            specifier,
            "it is none of the script's modules; bundle what you import, or import local files by a literal name",
        ),
        SpecifierKind::Unsupported(message) => message,
    }
}

/// Error message of a file whose extension is not in [`EXTENSIONS`].
pub(super) fn unknown_extension(specifier: &str, extension: &str) -> String {
    let reason = match extension {
        "json" => "function scripts import no JSON; export the value from a .js file".to_owned(),
        "tsx" | "jsx" => "function scripts have no JSX; bundle it to JavaScript".to_owned(),
        "cjs" | "cts" => "function scripts have no CommonJS; bundle it to an ES module".to_owned(),
        _ => format!("only files that end in .{} are imported", EXTENSIONS.join(", .")),
    };
    refusal(specifier, reason)
}

/// Error message of a file that does not exist at `path`.
pub(super) fn missing_file(specifier: &str, path: &Path) -> String {
    let suggestion = suggestion(specifier, path).map(|name| format!("; did you mean {name:?}?"));
    refusal(specifier, format!("there is no such file{}", suggestion.unwrap_or_default()))
}

/// The import with the extension of a file that exists next to `path`.
fn suggestion(specifier: &str, path: &Path) -> Option<String> {
    let exists = |path: &Path| path.is_file();
    let appended = EXTENSIONS.iter().find_map(|extension| {
        let name = path.file_name()?.to_str()?;
        exists(&path.with_file_name(format!("{name}.{extension}"))).then(|| format!("{specifier}.{extension}"))
    });
    let index = || {
        let extension = EXTENSIONS.iter().find(|extension| exists(&path.join(format!("index.{extension}"))))?;
        Some(format!("{specifier}/index.{extension}"))
    };
    let swapped = || {
        let written = path.extension()?.to_str()?;
        let extension = EXTENSIONS.iter().find(|extension| exists(&path.with_extension(extension)))?;
        Some(format!("{}{extension}", specifier.strip_suffix(written)?))
    };
    appended.or_else(index).or_else(swapped)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn classify_explains_every_unsupported_kind() {
        let message = |import| match classify(import) {
            SpecifierKind::RelativePath => "local".to_owned(),
            SpecifierKind::Unsupported(message) => message,
        };
        let (bundle, without) = ("bundle what you import", "bundle a package that does not need it");
        for (import, expected) in [
            ("./x.js", "local".to_owned()),
            ("../x.ts", "local".to_owned()),
            ("./x.js?v=1", r#""./x.js?v=1" is not available: the name of a file has no query and no fragment here"#.into()),
            ("./x/", r#""./x/" is not available: name a file, not a folder"#.into()),
            ("node:fs/promises", format!(r#""node:fs/promises" is not available: it is a module of Node.js, and function scripts have no file system; {without}"#)),
            ("fs", format!(r#""fs" is not available: it is a module of Node.js, and function scripts have no file system; {without}"#)),
            ("node:new", format!(r#""node:new" is not available: it is a module of Node.js, and function scripts have the web's APIs rather than Node's; {without}"#)),
            ("npm:zod", format!(r#""npm:zod" is not available: function scripts load no packages; {bundle}"#)),
            ("@a/b", format!(r#""@a/b" is not available: function scripts load no packages; {bundle}, or write ./ before the name of a file"#)),
            ("https://a.b/c.js", format!(r#""https://a.b/c.js" is not available: function scripts load nothing from the network; {bundle}"#)),
            ("data:text/javascript,1", r#""data:text/javascript,1" is not available: function scripts load nothing from data: URLs; put the module into a file"#.into()),
            ("/x.js", r#""/x.js" is not available: files are imported by a relative path, such as ./users.js"#.into()),
        ] {
            assert_eq!(message(import), expected);
        }
    }
}
