//! Advice for scripts that use a global of another runtime.

/// Names of missing globals, with what they are, and what to use instead.
const MISSING: &[(&[&str], &str, &str)] = &[
    (
        &["process"],
        "an object of Node.js",
        "pass values in the argument, or replace them in the bundle, as with esbuild's \
         --define:process.env.NODE_ENV='\"production\"'",
    ),
    (
        &["Buffer"],
        "a class of Node.js",
        "use Uint8Array, TextEncoder, TextDecoder, atob and btoa, or bundle the package buffer and import Buffer from it",
    ),
    (
        &["require", "module", "exports"],
        "part of CommonJS, the module system of Node.js",
        "use import and export, and bundle the script to one ES module, as with esbuild's --bundle --format=esm",
    ),
    (
        &["__dirname", "__filename"],
        "a path of a CommonJS module of Node.js",
        "scripts have no files at run time: put the content into the script, or replace the name in the bundle, as with esbuild's \
         --define:__dirname='\"/\"'",
    ),
    (
        &["global"],
        "the name of the global object in Node.js",
        "use globalThis, or replace the name in the bundle, as with esbuild's --define:global=globalThis",
    ),
    (&["setImmediate", "clearImmediate"], "a timer of Node.js", "use setTimeout with a delay of 0, or queueMicrotask"),
    (&["Deno"], "the API of the runtime Deno", "use the web's APIs, such as fetch, crypto and streams"),
    (&["performance"], "the clock API of browsers", "use Date.now()"),
    (
        &["navigator"],
        "an object of browsers",
        "replace it in the bundle, as with esbuild's --define:navigator=undefined, or use a build of the package for servers",
    ),
    (
        &["window", "document"],
        "an object of browsers",
        "use globalThis for globals, and a build of the package for servers",
    ),
];

/// Extends the message of a `ReferenceError` about a global that function scripts do not have. None for other messages.
pub(super) fn explain(message: &str) -> Option<String> {
    let name = message.strip_suffix(" is not defined")?;
    // Older versions of QuickJS quote the name.
    let name = name.trim_matches('\'');
    if name == "tailordb" {
        let what = "it is the platform's database client, which this program does not have";
        return Some(format!("{message}: {what}; pass the data in the argument, or run the function on the platform"));
    }
    let (_, what, advice) = MISSING.iter().find(|(names, ..)| names.contains(&name))?;
    Some(format!("{message}: it is {what}, which the platform's functions do not have either; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_globals_are_explained() {
        assert!(
            explain("process is not defined").is_some_and(|text| text.starts_with("process is not defined: it is "))
        );
        assert!(explain("'Buffer' is not defined").is_some());
        for message in ["processes is not defined", "process is not a function", "", "is not defined"] {
            assert_eq!(explain(message), None);
        }
    }
}
