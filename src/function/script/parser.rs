//! Parsing of JavaScript modules with oxc, for their imports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};
use oxc_syntax::module_record::ModuleRecord;
use thiserror::Error;

use super::syntax::ImportSite;

/// Longest text that is parsed, in bytes. The parser recurses, so that the stack has to be [`STACK_BYTES_PER_TEXT_BYTE`]
/// times as large. Handwritten files are far shorter; longer ones are bundles, which V8 gets unparsed.
pub(super) const MAX_PARSED_BYTES: usize = 128 * 1024;

/// Stack that the parser and the passes after it use at most for a byte of text, such as one of a million `(`. The stack is
/// reserved address space: pages are committed when they are used.
const STACK_BYTES_PER_TEXT_BYTE: usize = if cfg!(debug_assertions) { 20 * 1024 } else { 4 * 1024 };

/// Stack for an empty text, in bytes.
const MIN_STACK_BYTES: usize = 1024 * 1024;

/// Imports of a JavaScript module in source order. Empty if the text cannot be parsed: V8 reports the error.
pub(super) fn imports(text: &str) -> Vec<ImportSite> {
    // Searching is much faster than parsing.
    if text.len() > MAX_PARSED_BYTES || !text.contains("import") && !text.contains("from") {
        return Vec::new();
    }
    let parse = |text: &str| {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, SourceType::mjs()).parse();
        if parsed.diagnostics.has_errors() { Vec::new() } else { import_sites(text, &parsed.module_record) }
    };
    with_stack_for(text, parse).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot find the imports of a script");
        Vec::new()
    })
}

/// Import sites of a parsed module in source order.
pub(super) fn import_sites(text: &str, record: &ModuleRecord<'_>) -> Vec<ImportSite> {
    let mut sites = Vec::new();
    for (specifier, requests) in &record.requested_modules {
        for request in requests {
            let offset = request.span.start as usize;
            sites.push(ImportSite { specifier: specifier.to_string(), offset, is_type: request.is_type });
        }
    }
    for dynamic in &record.dynamic_imports {
        let Span { start, end, .. } = dynamic.module_request;
        if let Some(specifier) = text.get(start as usize..end as usize).and_then(literal) {
            sites.push(ImportSite { specifier: specifier.to_owned(), offset: start as usize, is_type: false });
        }
    }
    sites.sort_by_key(|site| site.offset);
    sites
}

/// Text of a string literal without escapes.
fn literal(expression: &str) -> Option<&str> {
    let quote = expression.chars().next().filter(|quote| "'\"`".contains(*quote))?;
    let text = expression.strip_prefix(quote)?.strip_suffix(quote)?;
    (!text.contains(['\\', quote]) && !text.contains("${")).then_some(text)
}

/// Time that a pass over a text may take. The longest take a second where nothing is optimized; time quadratic in the length of a
/// text, such as one of many `a<`, takes minutes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Passes that may continue after their [`TIMEOUT`], since a thread cannot be ended. Further texts are refused until one is done.
const MAX_OVERDUE: usize = 4;

static OVERDUE: AtomicUsize = AtomicUsize::new(0);

/// Reason why a pass over a text has no result.
#[derive(Debug, Error)]
pub(super) enum ParseFailure {
    #[error("cannot start a thread: {0}")]
    Spawn(io::Error),
    #[error("it takes longer than {} s, as deeply nested type arguments do", TIMEOUT.as_secs())]
    Timeout,
    #[error("{0} texts of other scripts are parsed for longer than {time} s: try again later", time = TIMEOUT.as_secs())]
    Busy(usize),
    #[error("the parser panicked")]
    Panic,
}

/// Runs a recursive pass over `text` on a thread whose stack suffices for any nesting.
///
/// # Errors
///
/// Fails if the thread cannot be started, panics, or takes too long.
pub(super) fn with_stack_for<T: Send + 'static>(
    text: &str,
    run: impl FnOnce(&str) -> T + Send + 'static,
) -> Result<T, ParseFailure> {
    let overdue = OVERDUE.load(Relaxed);
    if overdue >= MAX_OVERDUE {
        return Err(ParseFailure::Busy(overdue));
    }
    let (sender, result) = mpsc::sync_channel(1);
    let is_over = Arc::new(AtomicBool::new(false));
    let end = PassEnd(Arc::clone(&is_over));
    let owned = text.to_owned();
    let pass = move || {
        let _end = end;
        // Fails if nobody waits any more.
        let _ = sender.send(run(&owned));
    };
    thread::Builder::new()
        .name("tailor-idp-parser".to_owned())
        .stack_size(MIN_STACK_BYTES + text.len() * STACK_BYTES_PER_TEXT_BYTE)
        .spawn(pass)
        .map_err(ParseFailure::Spawn)?;
    result.recv_timeout(TIMEOUT).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            OVERDUE.fetch_add(1, Relaxed);
            drop(PassEnd(is_over));
            ParseFailure::Timeout
        }
        RecvTimeoutError::Disconnected => ParseFailure::Panic,
    })
}

/// Sets the flag that the pass and an expired wait share. The later of both does not count the pass as overdue any more.
struct PassEnd(Arc<AtomicBool>);

impl Drop for PassEnd {
    fn drop(&mut self) {
        if self.0.swap(true, Relaxed) {
            OVERDUE.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn specifiers(text: &str) -> Vec<String> {
        imports(text).into_iter().map(|site| site.specifier).collect()
    }

    #[test]
    fn imports_finds_static_and_dynamic_imports_in_source_order() {
        let text = "#!/usr/bin/env x\nimport './a.js'; import b, { c as d, \"e-f\" as g } from\n'./b.js'\n\
                    import * as from from './c.js';export * from './d.js'; export * as h from \"./e.js\";\n\
                    import i, { j } from './f.js'; export { k } from './\\x67.js';\n\
                    const l = { import: 1, m: await import('./h.js') }; import(`./i.js`, {});";
        assert_eq!(specifiers(text), "abcdefghi".chars().map(|name| format!("./{name}.js")).collect::<Vec<_>>());
        let site = &imports("import('./é.js')")[0];
        assert_eq!((site.offset, &*site.specifier), (7, "./é.js"));
    }

    #[test]
    fn imports_is_empty_for_other_text() {
        let too_long = format!("import './a.js';{}", " ".repeat(MAX_PARSED_BYTES));
        for text in [
            "// import './a.js'\n/* import './a.js' */",
            "`import './a.js' ${ `import './a.js'` }`; /import '.\\/a.js'/.test(x)",
            "object.import('./a.js'); import.meta.url; import(a + './a.js'); import(`${a}`); import('./\\x61.js')",
            "import './a.js'; import {",
            "im\u{2028}port 'é",
            &too_long,
        ] {
            assert_eq!(specifiers(text), [""; 0], "{}", &text[..40.min(text.len())]);
        }
    }

    #[test]
    fn imports_handles_ten_thousand_levels_of_nesting() {
        for (open, close) in [("(", ")"), ("[", "]"), ("`${", "}`"), ("() => ", ""), ("if(a)", "")] {
            let deep = format!("import './a.js'; {}a{}", open.repeat(10_000), close.repeat(10_000));
            assert_eq!(specifiers(&deep), ["./a.js"], "{open}");
        }
    }
}
