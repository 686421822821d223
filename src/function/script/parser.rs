//! The parser of scripts: which modules one imports, and TypeScript's types taken away.

use std::path::{Path, PathBuf};
use std::{io, thread};

use oxc_allocator::Allocator;
use oxc_ast::ast::Decorator;
use oxc_ast_visit::Visit;
use oxc_codegen::{Codegen, CodegenOptions, CodegenReturn, CommentOptions};
use oxc_diagnostics::Diagnostics;
use oxc_parser::{Parser, ParserReturn};
use oxc_semantic::SemanticBuilder;
use oxc_span::{SourceType, Span};
use oxc_syntax::module_record::ModuleRecord;
use oxc_transformer::{TransformOptions, Transformer};
use url::Url;

/// The longest text that is parsed, in bytes: the parser recurses, and [`STACK_PER_BYTE`] has to be there for all of it.
/// Far more than a file has that people write; what is longer is a bundle, and goes to the engine unparsed.
pub(super) const MAX_PARSED: usize = 128 * 1024;

/// The longest JavaScript that TypeScript may become: far more than enums and namespaces add.
const MAX_CODE: usize = 16 * MAX_PARSED;

/// What the parser, and the passes after it, take at most of the stack for a byte of text, such as one of a million `(`.
/// Nothing of it is memory before it is used.
const STACK_PER_BYTE: usize = if cfg!(debug_assertions) { 20 * 1024 } else { 4 * 1024 };

/// The stack for a text of no length.
const LEAST_STACK: usize = 1024 * 1024;

/// The language of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    TypeScript,
}

/// An import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportSite {
    /// What is imported, as the module has it.
    pub(super) import: String,
    /// The byte at which the import's string begins.
    pub(super) offset: usize,
    /// Whether only types are imported, so that nothing is at run time.
    pub(super) is_type: bool,
}

/// Why a module cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The error's name.
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// The byte at which it is.
    pub(super) offset: Option<usize>,
}

impl Fault {
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self { name: "SyntaxError", message: message.into(), offset: None }
    }
}

/// JavaScript made of TypeScript.
#[derive(Debug)]
pub(super) struct Stripped {
    pub(super) code: String,
    /// The source map, in JSON. Its one source is the module's own URL.
    pub(super) map: Vec<u8>,
    pub(super) imports: Vec<ImportSite>,
}

/// The imports of a module, in their order. None where the text cannot be parsed: the engine will say why.
pub(super) fn imports(text: &str) -> Vec<ImportSite> {
    // Parsing is slow beside looking.
    if text.len() > MAX_PARSED || !text.contains("import") && !text.contains("from") {
        return Vec::new();
    }
    let parse = || {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, source_type(Language::JavaScript)).parse();
        if parsed.diagnostics.has_errors() { Vec::new() } else { imports_of(text, &parsed.module_record) }
    };
    with_stack_for(text, parse).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot start a thread to parse a script");
        Vec::new()
    })
}

/// Takes the types away, with what else TypeScript has: enums, namespaces, parameter properties.
///
/// # Errors
///
/// Where the text is not TypeScript, is longer than [`MAX_PARSED`], or has decorators, which the engine does not know.
pub(super) fn strip(specifier: &Url, text: &str) -> Result<Stripped, Fault> {
    if text.len() > MAX_PARSED {
        let message = format!(
            "TypeScript of {} bytes is not run as it is, only up to {MAX_PARSED}: compile or bundle it to JavaScript first",
            text.len()
        );
        return Err(Fault::syntax(message));
    }
    with_stack_for(text, || strip_here(specifier, text))
        .unwrap_or_else(|error| Err(Fault::syntax(format!("cannot start a thread to strip the types: {error}"))))
}

fn strip_here(specifier: &Url, text: &str) -> Result<Stripped, Fault> {
    let allocator = Allocator::default();
    let ParserReturn { mut program, module_record, diagnostics, .. } =
        Parser::new(&allocator, text, source_type(Language::TypeScript)).parse();
    first_error(&diagnostics)?;
    let mut decorators = FirstDecorator(None);
    decorators.visit_program(&program);
    if let Some(span) = decorators.0 {
        let message = "decorators are not available: the engine does not know them yet; compile them first";
        return Err(Fault { offset: Some(span.start as usize), ..Fault::syntax(message) });
    }
    // Values of enums are computed there.
    let semantic = SemanticBuilder::new_compiler().with_enum_eval(true).build(&program);
    first_error(&semantic.diagnostics)?;
    let scoping = semantic.semantic.into_scoping();
    // The engine knows all of today's JavaScript: nothing but TypeScript is transformed.
    let options = TransformOptions::default();
    let transformed =
        Transformer::new(&allocator, Path::new(specifier.path()), &options).build_with_scoping(scoping, &mut program);
    first_error(&transformed.diagnostics)?;
    let options = CodegenOptions {
        comments: CommentOptions::disabled(),
        // Nobody reads it, and what nests deeply would grow by the square of its depth.
        indent_width: 0,
        source_map_path: Some(PathBuf::from(specifier.as_str())),
        ..CodegenOptions::default()
    };
    let CodegenReturn { code, map, .. } = Codegen::new().with_options(options).build(&program);
    if code.len() > MAX_CODE {
        return Err(Fault::syntax(format!("the JavaScript that this becomes is longer than {MAX_CODE} bytes")));
    }
    let map = map.map(|mut map| {
        map.set_sources([specifier.as_str()]);
        // The text is at hand.
        map.set_source_contents(Vec::new());
        map.to_json_string().into_bytes()
    });
    Ok(Stripped { code, map: map.unwrap_or_default(), imports: imports_of(text, &module_record) })
}

fn source_type(language: Language) -> SourceType {
    match language {
        Language::JavaScript => SourceType::mjs(),
        Language::TypeScript => SourceType::ts().with_module(true),
    }
}

fn first_error(diagnostics: &Diagnostics) -> Result<(), Fault> {
    let Some(error) = diagnostics.errors().next() else { return Ok(()) };
    let help = error.help.as_ref().map(|help| format!("; {help}"));
    let message = format!("{}{}", error.message, help.unwrap_or_default());
    // Of two declarations the second is one too many; else the first place is the one that is meant.
    let again = error.labels.iter().find(|label| label.label().is_some_and(|label| label.contains("redeclared")));
    let label = again.or(error.labels.first());
    Err(Fault { offset: label.map(|label| label.offset() as usize), ..Fault::syntax(message) })
}

fn imports_of(text: &str, record: &ModuleRecord<'_>) -> Vec<ImportSite> {
    let mut sites = Vec::new();
    for (import, requests) in &record.requested_modules {
        for request in requests {
            let offset = request.span.start as usize;
            sites.push(ImportSite { import: import.to_string(), offset, is_type: request.is_type });
        }
    }
    for dynamic in &record.dynamic_imports {
        let Span { start, end, .. } = dynamic.module_request;
        if let Some(import) = text.get(start as usize..end as usize).and_then(literal) {
            sites.push(ImportSite { import: import.to_owned(), offset: start as usize, is_type: false });
        }
    }
    sites.sort_by_key(|site| site.offset);
    sites
}

/// The text of a string literal without escapes.
fn literal(expression: &str) -> Option<&str> {
    let quote = expression.chars().next().filter(|quote| "'\"`".contains(*quote))?;
    let text = expression.strip_prefix(quote)?.strip_suffix(quote)?;
    (!text.contains(['\\', quote]) && !text.contains("${")).then_some(text)
}

/// Finds the first decorator.
struct FirstDecorator(Option<Span>);

impl<'a> Visit<'a> for FirstDecorator {
    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.0.get_or_insert(decorator.span);
    }
}

/// Runs what recurses over `text` on a thread with a stack that is enough, however deep the text nests.
fn with_stack_for<T: Send>(text: &str, run: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("tailor-idp-parser".to_owned())
            .stack_size(LEAST_STACK + text.len() * STACK_PER_BYTE)
            .spawn_scoped(scope, run)?;
        thread.join().map_err(|_| io::Error::other("the parser panicked"))
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn stripped(text: &str) -> Result<Stripped, Fault> {
        strip(&"file:///main.ts".parse().unwrap(), text)
    }

    #[test]
    fn imports_are_found_with_their_places_and_kinds() {
        let text = "import a from './a.js';\nexport * from \"./b.js\";\nimport type C from './c.ts';\n\
                    await import('./d.js'); import(`./e.js`); import('./' + f); import(`${g}`);";
        let found: Vec<_> = stripped(text)
            .unwrap()
            .imports
            .into_iter()
            .map(|site| (site.import, &text[site.offset..=site.offset], site.is_type))
            .collect();
        let expected = [
            ("./a.js".to_owned(), "'", false),
            ("./b.js".to_owned(), "\"", false),
            ("./c.ts".to_owned(), "'", true),
            ("./d.js".to_owned(), "'", false),
            ("./e.js".to_owned(), "`", false),
        ];
        assert_eq!(found, expected);
        assert_eq!(imports("import {"), []);
    }

    #[test]
    fn faults_have_a_place() {
        let fault = |text: &str| stripped(text).map(|stripped| stripped.code).unwrap_err();
        assert_eq!(fault("let a: = 1;").offset, Some(7));
        assert_eq!(fault("let a = 1; let a = 2;").name, "SyntaxError");
        let decorated = fault("function d() {}\n@d class A {}");
        assert_eq!(decorated.offset, Some(16));
        assert!(decorated.message.starts_with("decorators are not available"), "{}", decorated.message);
        assert!(fault(&" ".repeat(MAX_PARSED + 1)).message.contains("131073 bytes"));
    }

    #[test]
    fn nesting_of_ten_thousand_levels_does_not_fill_the_stack() {
        for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("a+", ""), ("() => ", ""), ("if(a)", "")] {
            let deep = format!("const a = 1; {}a{}", open.repeat(10_000), close.repeat(10_000));
            let length = stripped(&deep).unwrap().code.len();
            // Indented, it would be a hundred times as long.
            assert!(length < 4 * deep.len(), "{open}: {length} from {}", deep.len());
        }
    }
}
