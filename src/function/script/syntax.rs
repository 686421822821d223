//! Imports and errors of a module's source text.

/// Language of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    TypeScript,
}

/// An import in a module's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportSite {
    /// Specifier as written.
    pub(super) specifier: String,
    /// Byte offset of the specifier's string literal.
    pub(super) offset: usize,
    /// Whether only types are imported. Such an import does not exist at run time.
    pub(super) is_type: bool,
}

/// Reason why a module cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleError {
    /// JavaScript error class, such as `SyntaxError`.
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// Byte offset of the error in the source, if known.
    pub(super) offset: Option<usize>,
}

impl ModuleError {
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self { name: "SyntaxError", message: message.into(), offset: None }
    }
}

/// JavaScript generated from TypeScript.
#[derive(Debug)]
pub(super) struct StrippedModule {
    pub(super) code: String,
    /// Source map as JSON. Its only source is the module's URL.
    pub(super) map: Vec<u8>,
    pub(super) imports: Vec<ImportSite>,
}
