//! Compilation of TypeScript to JavaScript with oxc.

use std::path::{Path, PathBuf};

use oxc_allocator::Allocator;
use oxc_ast::ast::Decorator;
use oxc_ast_visit::Visit;
use oxc_codegen::{Codegen, CodegenOptions, CodegenReturn, CommentOptions};
use oxc_diagnostics::Diagnostics;
use oxc_parser::{Parser, ParserReturn};
use oxc_semantic::SemanticBuilder;
use oxc_span::{SourceType, Span};
use oxc_transformer::{TransformOptions, Transformer};
use url::Url;

use super::enums::max_values_len;
use super::parser::{MAX_PARSED_BYTES, import_sites, with_stack_for};
use super::syntax::{ModuleError, StrippedModule};

/// Longest JavaScript that TypeScript may be compiled to, in bytes: far more than enums and namespaces add.
const MAX_CODE_BYTES: usize = 16 * MAX_PARSED_BYTES;

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
    let specifier = specifier.clone();
    with_stack_for(text, move |text| strip_on_this_thread(&specifier, text))
        .unwrap_or_else(|error| Err(ModuleError::syntax(format!("cannot strip the types: {error}"))))
}

fn strip_on_this_thread(specifier: &Url, text: &str) -> Result<StrippedModule, ModuleError> {
    let allocator = Allocator::default();
    let ParserReturn { mut program, module_record, diagnostics, .. } =
        Parser::new(&allocator, text, SourceType::ts().with_module(true)).parse();
    first_error(&diagnostics)?;
    let mut decorators = FirstDecorator(None);
    decorators.visit_program(&program);
    if let Some(span) = decorators.0 {
        let message = "decorators are not available: the engine does not know them yet; compile them first";
        return Err(ModuleError { offset: Some(span.start as usize), ..ModuleError::syntax(message) });
    }
    let values = max_values_len(&program);
    if values > MAX_CODE_BYTES {
        return Err(ModuleError::syntax(format!(
            "the values of the enums have up to {values} bytes, of at most {MAX_CODE_BYTES}"
        )));
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
            "the JavaScript that this becomes has {} bytes, of at most {MAX_CODE_BYTES}",
            code.len()
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

/// Visitor that finds the first decorator.
struct FirstDecorator(Option<Span>);

impl<'a> Visit<'a> for FirstDecorator {
    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.0.get_or_insert(decorator.span);
    }
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

    #[test]
    fn strip_types_refuses_enums_whose_values_grow_exponentially() {
        let doubled =
            |member: &dyn Fn(usize) -> String, separator: &str| (1..40).map(member).collect::<Vec<_>>().join(separator);
        let plus = doubled(&|i| format!("A{i} = A{} + A{}", i - 1, i - 1), ",");
        let template = doubled(&|i| format!("A{i} = `${{A{}}}${{A{}}}`", i - 1, i - 1), ",");
        let others = doubled(&|i| format!("enum E{i} {{ A = E{}.A + E{}['A'] }}", i - 1, i - 1), "\n");
        for text in [
            format!("enum E {{ A0 = 'x', {plus} }}"),
            format!("enum E {{ A0 = 'x', {template} }}"),
            format!("enum E0 {{ A = 'x' }} {others}"),
        ] {
            let error = stripped(&text).map(|stripped| stripped.code.len()).unwrap_err();
            assert!(error.message.starts_with("the values of the enums have up to"), "{}", error.message);
            assert!(error.message.ends_with("bytes, of at most 2097152"), "{}", error.message);
        }
        let code = stripped("enum E { A = 'x', B = A + A, C = `${B}-${E.B}`, D = 1 << 3 }").unwrap().code;
        assert!(code.contains("xx-xx"), "{code}");
    }
}
