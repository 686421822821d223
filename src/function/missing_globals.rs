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
    (&["location"], "the address of a page in browsers", "pass URLs in the argument"),
    (
        &["localStorage", "sessionStorage"],
        "a store of browsers",
        "keep values in variables, since nothing outlives an execution, or in another service",
    ),
    (&["XMLHttpRequest"], "a client of browsers for HTTP", "use fetch"),
    (&["WebSocket"], "a connection of browsers", "use fetch"),
    (&["Worker"], "a thread of browsers", "functions have one thread: split the work into several executions"),
    (&["alert", "confirm", "prompt"], "a dialog of browsers", "use console.log"),
    (&["Bun"], "the API of the runtime Bun", "use the web's APIs, such as fetch, crypto and streams"),
    (
        &["window", "document"],
        "an object of browsers",
        "use globalThis for globals, and a build of the package for servers",
    ),
];

/// Names of the object that has globals as its properties.
const GLOBAL_OBJECTS: [&str; 2] = ["globalThis", "self"];

/// An excerpt of source around the location of an error.
pub(super) struct Surroundings {
    pub(super) text: String,
    /// Byte offset of the location in the text.
    pub(super) location: usize,
}

/// Extends the message of a `ReferenceError` about a global that function scripts do not have. None for other messages.
pub(super) fn explain(message: &str) -> Option<String> {
    let name = message.strip_suffix(" is not defined")?;
    // Older versions of QuickJS quote the name.
    advice(name.trim_matches('\'')).map(|(what, advice)| format!("{message}: it is {what}; {advice}"))
}

/// Extends the message of a `TypeError` about the use of such a global as a property, as in `globalThis.process.env`. V8 names
/// the object in some messages; in others, such as `Cannot read properties of undefined (reading 'env')`, only the source tells.
pub(super) fn explain_property(message: &str, source: impl FnOnce() -> Option<Surroundings>) -> Option<String> {
    let name = match object_in_message(message) {
        Some(object) => property_of_global_object(object).filter(|(_, rest)| rest.is_empty())?.0.to_owned(),
        None => object_in_source(property_in_message(message)?, &source()?)?.to_owned(),
    };
    let (what, advice) = advice(&name)?;
    Some(format!("{}: {name} is {what}; {advice}", message.trim_end_matches('.')))
}

/// What the missing global is, and what to use instead.
fn advice(name: &str) -> Option<(String, &'static str)> {
    if name == "tailordb" {
        let what = "the platform's database client, which this program does not have";
        return Some((what.to_owned(), "pass the data in the argument, or run the function on the platform"));
    }
    let (_, what, advice) = MISSING.iter().find(|(names, ..)| names.contains(&name))?;
    Some((format!("{what}, which the platform's functions do not have either"), advice))
}

/// The expression that a message says is undefined, or is not what it is used as.
fn object_in_message(message: &str) -> Option<&str> {
    let used = [" is not a function", " is not a constructor"].iter().find_map(|end| message.strip_suffix(end));
    used.or_else(|| {
        message.strip_prefix("Cannot destructure ")?.split_once(" of '")?.1.strip_suffix("' as it is undefined.")
    })
}

/// The property that was read from `undefined`, or set.
fn property_in_message(message: &str) -> Option<&str> {
    let rest = message.strip_suffix("')")?;
    let read = rest.strip_prefix("Cannot read properties of undefined (reading '");
    read.or_else(|| rest.strip_prefix("Cannot set properties of undefined (setting '"))
}

/// The name of the global in an expression such as `globalThis.process.env` whose last part is `property`, if the location is in
/// the expression. It is at the property, or, from a source map, before it; in an assignment, it is at the `=`.
fn object_in_source<'s>(property: &str, source: &'s Surroundings) -> Option<&'s str> {
    let text = &source.text;
    let starts = GLOBAL_OBJECTS.iter().flat_map(|object| text.match_indices(object)).map(|(start, _)| start);
    let names = starts.filter_map(|start| {
        let continues_a_name = text[..start].ends_with(|before: char| is_in_identifier(before) || before == '.');
        let (name, rest) = property_of_global_object(&text[start..]).filter(|_| !continues_a_name)?;
        let (used, rest) = access(rest)?;
        let end = text.len() - rest.trim_start().len();
        (used == property && (start..=end).contains(&source.location)).then_some(name)
    });
    // The expressions can be nested: the innermost starts last.
    names.last()
}

/// The property at the start of an expression of the form `globalThis.process`, and the text after it.
fn property_of_global_object(expression: &str) -> Option<(&str, &str)> {
    access(GLOBAL_OBJECTS.iter().find_map(|object| expression.strip_prefix(object))?)
}

/// The name in `.name`, `?.name`, `["name"]` or `?.["name"]` at the start of a text, and the text after it.
fn access(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let optional = text.strip_prefix("?.");
    if let Some(rest) = optional.unwrap_or(text).trim_start().strip_prefix('[') {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
        let (name, rest) = rest[1..].split_once(quote)?;
        return Some((name, rest.trim_start().strip_prefix(']')?));
    }
    let name = optional.or_else(|| text.strip_prefix('.'))?.trim_start();
    let end = name.find(|c| !is_in_identifier(c)).unwrap_or(name.len());
    (end > 0).then(|| name.split_at(end))
}

fn is_in_identifier(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn only_missing_globals_are_explained() {
        assert!(
            explain("process is not defined").is_some_and(|text| text.starts_with("process is not defined: it is "))
        );
        assert!(explain("'Buffer' is not defined").is_some());
        for name in ["location", "sessionStorage", "XMLHttpRequest", "WebSocket", "Worker", "alert", "Bun", "window"] {
            assert!(explain(&format!("{name} is not defined")).is_some_and(|text| text.contains("; ")), "{name}");
        }
        for message in ["processes is not defined", "process is not a function", "", "is not defined"] {
            assert_eq!(explain(message), None);
        }
    }

    /// The name that is explained. `|` is the location of the error.
    fn explained(message: &str, source: &str) -> Option<String> {
        let surroundings = || Some(Surroundings { text: source.replace('|', ""), location: source.find('|')? });
        let explained = explain_property(message, surroundings)?;
        let rest = explained.strip_prefix(message.trim_end_matches('.')).unwrap().strip_prefix(": ").unwrap();
        Some(rest.split(' ').next().unwrap().to_owned())
    }

    #[test]
    fn properties_of_missing_globals_are_explained_by_the_source_at_the_error() {
        let reading = "Cannot read properties of undefined (reading 'env')";
        for source in [
            "globalThis.process.|env.HOME",
            "self.process.|env",
            "a.b + globalThis['process'].|env",
            "globalThis[ \"process\" ][|`env`]",
            "globalThis\n  .process\n  .|env",
            "globalThis?.process?.|env",
            "globalThis.|process[\"env\"]",
            "f(globalThis.process.|env, globalThis.Buffer.env)",
        ] {
            assert_eq!(explained(reading, source).as_deref(), Some("process"), "{source}");
        }
        for source in ["globalThis.process.env |= 1", "self.process['env']| = 1"] {
            assert_eq!(
                explained("Cannot set properties of undefined (setting 'env')", source).as_deref(),
                Some("process")
            );
        }
        for source in [
            "other.|env; globalThis.process.env",
            "globalThis.process.env; other.|env",
            "globalThis.processes.|env",
            "globalThis.process.argv.|env",
            "globalThis.process.|argv",
            "my.globalThis.process.|env",
            "itself.process.|env",
            "globalThis[process].|env",
            "globalThis.process.env",
            "globalThis[|",
            "",
        ] {
            assert_eq!(explained(reading, source), None, "{source}");
        }
    }

    #[test]
    fn properties_that_the_message_names_are_explained() {
        for (message, name) in [
            ("globalThis.setImmediate is not a function", Some("setImmediate")),
            ("globalThis.Buffer is not a constructor", Some("Buffer")),
            ("Cannot destructure property 'env' of 'self.process' as it is undefined.", Some("process")),
            ("globalThis.process.nextTick is not a function", None),
            ("tailor.process is not a function", None),
            ("globalThis.fetchAll is not a function", None),
            ("Cannot read properties of null (reading 'env')", None),
            ("", None),
        ] {
            assert_eq!(explained(message, "globalThis.process.|env").as_deref(), name, "{message}");
        }
    }
}
