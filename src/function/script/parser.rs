//! Parsing with oxc: imports of JavaScript modules, and removal of TypeScript's types.

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

use super::syntax::{ImportSite, Language, ModuleError, StrippedModule};

/// Longest text that is parsed, in bytes. The parser recurses, so that the stack has to be [`STACK_BYTES_PER_TEXT_BYTE`]
/// times as large. Handwritten files are far shorter; longer ones are bundles, which V8 gets unparsed.
const MAX_PARSED_BYTES: usize = 128 * 1024;

/// Longest JavaScript that TypeScript may be compiled to, in bytes: far more than enums and namespaces add.
const MAX_CODE_BYTES: usize = 16 * MAX_PARSED_BYTES;

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
    parse_imports(text).unwrap_or_default()
}

/// Imports of a JavaScript module. None if the text cannot be parsed.
pub(super) fn parse_imports(text: &str) -> Option<Vec<ImportSite>> {
    let parse = || {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, source_type(Language::JavaScript)).parse();
        (!parsed.diagnostics.has_errors()).then(|| import_sites(text, &parsed.module_record))
    };
    with_stack_for(text, parse).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot start a thread to parse a script");
        None
    })
}

/// Compiles TypeScript to JavaScript: removes types, and transforms enums, namespaces and parameter properties.
///
/// # Errors
///
/// Fails if the text is not valid TypeScript, is longer than [`MAX_PARSED_BYTES`], or uses decorators, which V8 does not
/// support.
pub(super) fn strip_types(specifier: &Url, text: &str) -> Result<StrippedModule, ModuleError> {
    if text.len() > MAX_PARSED_BYTES {
        let message = format!(
            "TypeScript of {} bytes is not run as it is, only up to {MAX_PARSED_BYTES}: compile or bundle it to JavaScript first",
            text.len()
        );
        return Err(ModuleError::syntax(message));
    }
    with_stack_for(text, || strip_on_this_thread(specifier, text))
        .unwrap_or_else(|error| Err(ModuleError::syntax(format!("cannot start a thread to strip the types: {error}"))))
}

fn strip_on_this_thread(specifier: &Url, text: &str) -> Result<StrippedModule, ModuleError> {
    let allocator = Allocator::default();
    let ParserReturn { mut program, module_record, diagnostics, .. } =
        Parser::new(&allocator, text, source_type(Language::TypeScript)).parse();
    first_error(&diagnostics)?;
    let mut decorators = FirstDecorator(None);
    decorators.visit_program(&program);
    if let Some(span) = decorators.0 {
        let message = "decorators are not available: the engine does not know them yet; compile them first";
        return Err(ModuleError { offset: Some(span.start as usize), ..ModuleError::syntax(message) });
    }
    // Computes the values of enum members.
    let semantic = SemanticBuilder::new_compiler().with_enum_eval(true).build(&program);
    first_error(&semantic.diagnostics)?;
    let scoping = semantic.semantic.into_scoping();
    // V8 supports current ECMAScript: only TypeScript is transformed.
    let options = TransformOptions::default();
    let transformed =
        Transformer::new(&allocator, Path::new(specifier.path()), &options).build_with_scoping(scoping, &mut program);
    first_error(&transformed.diagnostics)?;
    let options = CodegenOptions {
        comments: CommentOptions::disabled(),
        // Indentation would make the size of deeply nested code quadratic in its depth.
        indent_width: 0,
        source_map_path: Some(PathBuf::from(specifier.as_str())),
        ..CodegenOptions::default()
    };
    let CodegenReturn { code, map, .. } = Codegen::new().with_options(options).build(&program);
    if code.len() > MAX_CODE_BYTES {
        return Err(ModuleError::syntax(format!(
            "the JavaScript that this becomes is longer than {MAX_CODE_BYTES} bytes"
        )));
    }
    let map = map.map(|mut map| {
        map.set_sources([specifier.as_str()]);
        // `Module` has the text.
        map.set_source_contents(Vec::new());
        map.to_json_string().into_bytes()
    });
    Ok(StrippedModule { code, map: map.unwrap_or_default(), imports: import_sites(text, &module_record) })
}

fn source_type(language: Language) -> SourceType {
    match language {
        Language::JavaScript => SourceType::mjs(),
        Language::TypeScript => SourceType::ts().with_module(true),
    }
}

fn first_error(diagnostics: &Diagnostics) -> Result<(), ModuleError> {
    let Some(error) = diagnostics.errors().next() else { return Ok(()) };
    let help = error.help.as_ref().map(|help| format!("; {help}"));
    let message = format!("{}{}", error.message, help.unwrap_or_default());
    // Of a duplicate declaration, point at the second one.
    let redeclaration =
        error.labels.iter().find(|label| label.label().is_some_and(|label| label.contains("redeclared")));
    let label = redeclaration.or(error.labels.first());
    Err(ModuleError { offset: label.map(|label| label.offset() as usize), ..ModuleError::syntax(message) })
}

fn import_sites(text: &str, record: &ModuleRecord<'_>) -> Vec<ImportSite> {
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

/// Visitor that finds the first decorator.
struct FirstDecorator(Option<Span>);

impl<'a> Visit<'a> for FirstDecorator {
    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.0.get_or_insert(decorator.span);
    }
}

/// Runs a recursive pass over `text` on a thread whose stack suffices for any nesting.
///
/// # Errors
///
/// Fails if the thread cannot be started, or panics.
fn with_stack_for<T: Send>(text: &str, run: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("tailor-idp-parser".to_owned())
            .stack_size(MIN_STACK_BYTES + text.len() * STACK_BYTES_PER_TEXT_BYTE)
            .spawn_scoped(scope, run)?;
        thread.join().map_err(|_| io::Error::other("the parser panicked"))
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn stripped(text: &str) -> Result<StrippedModule, ModuleError> {
        strip_types(&"file:///main.ts".parse().unwrap(), text)
    }

    #[test]
    fn strip_types_reports_imports_with_offsets_and_kinds() {
        let text = "import a from './a.js';\nexport * from \"./b.js\";\nimport type C from './c.ts';\n\
                    await import('./d.js'); import(`./e.js`); import('./' + f); import(`${g}`);";
        let found: Vec<_> = stripped(text)
            .unwrap()
            .imports
            .into_iter()
            .map(|site| (site.specifier, &text[site.offset..=site.offset], site.is_type))
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
    fn strip_types_errors_have_offsets() {
        let error = |text: &str| stripped(text).map(|stripped| stripped.code).unwrap_err();
        assert_eq!(error("let a: = 1;").offset, Some(7));
        assert_eq!(error("let a = 1; let a = 2;").name, "SyntaxError");
        let decorated = error("function d() {}\n@d class A {}");
        assert_eq!(decorated.offset, Some(16));
        assert!(decorated.message.starts_with("decorators are not available"), "{}", decorated.message);
        assert!(error(&" ".repeat(MAX_PARSED_BYTES + 1)).message.contains("131073 bytes"));
    }

    #[test]
    fn strip_types_handles_ten_thousand_levels_of_nesting() {
        for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("a+", ""), ("() => ", ""), ("if(a)", "")] {
            let deep = format!("const a = 1; {}a{}", open.repeat(10_000), close.repeat(10_000));
            let length = stripped(&deep).unwrap().code.len();
            // Indented code would be a hundred times as long.
            assert!(length < 4 * deep.len(), "{open}: {length} from {}", deep.len());
        }
    }
}
