//! Import scanner for builds without the `typescript` feature, which have no JavaScript parser.
//!
//! The scanner tokenizes the source and recognizes import and export declarations. It does not validate: a site that is
//! reported by mistake only causes one more file to be read, and V8 reports syntax errors.

use super::syntax::ImportSite;

/// Words after which `/` starts a regular expression and `{` an object literal.
const EXPRESSION_KEYWORDS: [&str; 14] = [
    "return",
    "typeof",
    "case",
    "in",
    "instanceof",
    "new",
    "void",
    "delete",
    "throw",
    "yield",
    "await",
    "of",
    "default",
    "extends",
];

/// Words whose parenthesized head is followed by a statement.
const STATEMENT_HEADS: [&str; 4] = ["if", "for", "while", "with"];

/// Imports of a JavaScript module in source order.
pub(super) fn imports(text: &str) -> Vec<ImportSite> {
    if !text.contains("import") && !text.contains("from") {
        return Vec::new();
    }
    let mut tokens = Tokenizer::new(text);
    let mut declaration = Declaration::None;
    let mut sites = Vec::new();
    let mut is_member = false;
    while let Some(token) = tokens.next() {
        let found;
        (declaration, found) = declaration.advance(token, is_member);
        sites.extend(found);
        is_member = token == Token::Punctuator(b'.');
    }
    sites
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A string, or a template without substitutions and escapes: offset of the quote, and text between the quotes.
    String(usize, &'a str),
    Punctuator(u8),
    /// A number, a regular expression, or part of a template.
    Other,
}

/// Position in an import or export declaration.
#[derive(Clone, Copy)]
enum Declaration<'a> {
    None,
    Import,
    Export,
    /// Before `from`, outside of braces.
    Clause,
    /// Between the braces of the clause.
    Names,
    /// After the closing brace.
    NamesEnd,
    From,
    /// After `import(`.
    Dynamic,
    /// After `import("…"`.
    DynamicSpecifier(usize, &'a str),
}

impl<'a> Declaration<'a> {
    fn advance(self, token: Token<'a>, is_member: bool) -> (Self, Option<ImportSite>) {
        use Token::{Punctuator, String, Word};
        let site = |offset: usize, text: &str| {
            let is_literal = !text.contains('\\');
            is_literal.then(|| ImportSite { specifier: text.to_owned(), offset, is_type: false })
        };
        let next = match (self, token) {
            (Self::Import | Self::From, String(offset, text)) => return (Self::None, site(offset, text)),
            (Self::DynamicSpecifier(offset, text), Punctuator(b')' | b',')) => return (Self::None, site(offset, text)),
            (Self::Import, Punctuator(b'(')) => Self::Dynamic,
            (Self::Dynamic, String(offset, text)) => Self::DynamicSpecifier(offset, text),
            (Self::Import | Self::Export | Self::Clause, Punctuator(b'{')) => Self::Names,
            (Self::Import | Self::Export, Punctuator(b'*')) => Self::Clause,
            (Self::Names, Punctuator(b'}')) => Self::NamesEnd,
            (Self::Names, Word(_) | String(..) | Punctuator(b',')) => Self::Names,
            (Self::Clause | Self::NamesEnd | Self::From, Word("from")) => Self::From,
            (Self::Clause | Self::From, Punctuator(b',' | b'*')) => Self::Clause,
            (_, Word("import")) if !is_member => Self::Import,
            (_, Word("export")) if !is_member => Self::Export,
            (Self::Import | Self::Clause, Word(_)) => Self::Clause,
            // `export * as "name" from`
            (Self::Clause, String(..)) => Self::Clause,
            _ => Self::None,
        };
        (next, None)
    }
}

#[derive(Clone, Copy)]
enum Brace {
    Block,
    Object,
    /// `${` in a template.
    Substitution,
}

/// Splits JavaScript into tokens. Tells a division from a regular expression by the tokens before it.
struct Tokenizer<'a> {
    text: &'a str,
    position: usize,
    /// Whether a `/` at this position starts a regular expression.
    expects_operand: bool,
    last_word: Option<&'a str>,
    last_punctuator: Option<u8>,
    braces: Vec<Brace>,
    /// Of each open parenthesis, whether it belongs to a statement head such as `if (…)`.
    parentheses: Vec<bool>,
}

impl<'a> Tokenizer<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            expects_operand: true,
            last_word: None,
            last_punctuator: None,
            braces: Vec::new(),
            parentheses: Vec::new(),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes().get(self.position + ahead).copied()
    }

    fn skip_past(&mut self, end: &str) {
        let rest = &self.text[self.position..];
        self.position = rest.find(end).map_or(self.text.len(), |at| self.position + at + end.len());
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.position..];
        self.position += rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len());
    }

    fn next(&mut self) -> Option<Token<'a>> {
        if self.position == 0 && self.text.starts_with("#!") {
            self.skip_line();
        }
        loop {
            let first = self.text[self.position..].chars().next()?;
            match (first, self.byte(1)) {
                ('/', Some(b'/')) => self.skip_line(),
                ('/', Some(b'*')) => {
                    self.position += 2;
                    self.skip_past("*/");
                }
                _ if first.is_whitespace() || first == '\u{feff}' => self.position += first.len_utf8(),
                _ => return Some(self.token(first)),
            }
        }
    }

    fn token(&mut self, first: char) -> Token<'a> {
        let start = self.position;
        let (last_word, last_punctuator) = (self.last_word.take(), self.last_punctuator.take());
        match first {
            '"' | '\'' => self.string(first as u8),
            '`' => {
                self.position += 1;
                self.template(start)
            }
            '/' if self.expects_operand && self.regular_expression() => {
                self.expects_operand = false;
                Token::Other
            }
            '0'..='9' => {
                let rest = &self.text[start..];
                self.position += rest.find(|c: char| !is_word(c) && c != '.').unwrap_or(rest.len());
                self.expects_operand = false;
                Token::Other
            }
            _ if is_word(first) => {
                let rest = &self.text[start..];
                self.position += rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                let word = &self.text[start..self.position];
                let is_keyword = last_punctuator != Some(b'.');
                self.expects_operand =
                    is_keyword && (EXPRESSION_KEYWORDS.contains(&word) || ["else", "do"].contains(&word));
                self.last_word = is_keyword.then_some(word);
                Token::Word(word)
            }
            _ => self.punctuator(first as u8, last_word, last_punctuator),
        }
    }

    fn punctuator(&mut self, byte: u8, last_word: Option<&str>, last: Option<u8>) -> Token<'a> {
        self.position += 1;
        self.last_punctuator = Some(byte);
        match byte {
            // Before or after an operand, which does not change.
            b'+' | b'-' if self.byte(0) == Some(byte) => {
                self.position += 1;
                return Token::Other;
            }
            b'(' => {
                self.parentheses.push(last_word.is_some_and(|word| STATEMENT_HEADS.contains(&word)));
                self.expects_operand = true;
            }
            b')' => self.expects_operand = self.parentheses.pop().unwrap_or_default(),
            b']' => self.expects_operand = false,
            b'{' => {
                let is_object = match (last_word, last) {
                    (Some(word), _) => EXPRESSION_KEYWORDS.contains(&word),
                    (None, Some(b')' | b';' | b'{' | b'}')) | (None, None) => false,
                    // The body of an arrow function.
                    (None, Some(b'>')) => !self.text[..self.position - 1].trim_end().ends_with("=>"),
                    (None, Some(_)) => self.expects_operand,
                };
                self.braces.push(if is_object { Brace::Object } else { Brace::Block });
                self.expects_operand = true;
            }
            b'}' => match self.braces.pop() {
                Some(Brace::Substitution) => return self.template(usize::MAX),
                Some(Brace::Object) => self.expects_operand = false,
                Some(Brace::Block) | None => self.expects_operand = true,
            },
            _ => self.expects_operand = true,
        }
        Token::Punctuator(byte)
    }

    fn string(&mut self, quote: u8) -> Token<'a> {
        let start = self.position;
        self.position += 1;
        self.expects_operand = false;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'\\' => self.position += 1,
                // Not closed: V8 reports it.
                b'\n' | b'\r' => break,
                _ => {}
            }
            if byte == quote {
                let text = &self.text[start + 1..self.position];
                self.position += 1;
                return Token::String(start, text);
            }
            self.step();
        }
        Token::Other
    }

    /// Reads a template up to its end or its next substitution. `start` is the offset of its opening quote.
    fn template(&mut self, start: usize) -> Token<'a> {
        self.expects_operand = false;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'\\' => self.position += 1,
                b'`' => {
                    let text = self.text.get(start.saturating_add(1)..self.position);
                    self.position += 1;
                    return text.map_or(Token::Other, |text| Token::String(start, text));
                }
                b'$' if self.byte(1) == Some(b'{') => {
                    self.position += 2;
                    self.braces.push(Brace::Substitution);
                    self.expects_operand = true;
                    return Token::Other;
                }
                _ => {}
            }
            self.step();
        }
        Token::Other
    }

    /// Reads a regular expression. Reads nothing and returns false if there is no end on the line.
    fn regular_expression(&mut self) -> bool {
        let start = self.position;
        let mut is_in_class = false;
        self.position += 1;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'\\' => self.position += 1,
                b'[' => is_in_class = true,
                b']' => is_in_class = false,
                b'\n' | b'\r' => break,
                b'/' if !is_in_class => {
                    self.position += 1;
                    let rest = &self.text[self.position..];
                    self.position += rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                    return true;
                }
                _ => {}
            }
            self.step();
        }
        self.position = start;
        false
    }

    /// Moves past the current character, up to the end of the text.
    fn step(&mut self) {
        self.position = (self.position + 1).min(self.text.len());
        while !self.text.is_char_boundary(self.position) {
            self.position += 1;
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '\\' || (!c.is_ascii() && !c.is_whitespace())
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
                    export { i }\nimport from, { j } from './f.js'; export { k } from './g.js';\n\
                    const l = { import: 1, m: await import('./h.js') }; import(`./i.js`, {});";
        assert_eq!(specifiers(text), "abcdefghi".chars().map(|name| format!("./{name}.js")).collect::<Vec<_>>());
        let site = &imports("import('./é.js')")[0];
        assert_eq!((site.offset, &*site.specifier), (7, "./é.js"));
    }

    #[test]
    fn imports_ignores_comments_strings_templates_and_regular_expressions() {
        for text in [
            "// import './a.js'\n/* import './a.js' */",
            "'import \"./a.js\"'; \"\\\" import './a.js'\"",
            "`import './a.js' ${ `import './a.js'` } import './a.js'`",
            "/import '.\\/a.js'/.test(x)",
            "a = /['\"]/; b = /[/'\"]import '.[/]a.js'/g",
            "if (a) /'import \"x\"/.test(b)",
            "object.import('./a.js'); import.meta.url; import(a + './a.js'); import('./a.js' + a)",
            "export const from = './a.js'; export default './a.js'",
            "const { from } = x\n'./a.js'",
        ] {
            assert_eq!(specifiers(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn imports_reads_division_as_division() {
        for text in [
            "a = b / c; import './a.js'; d = e / f",
            "a++ / 2; import './a.js'; b / 1",
            "a = (b) / c; import './a.js'; d / e",
            "a = {} / 1; import './a.js'; b / 1",
            "a = [1][0] / 1; import './a.js'; 1 / 2",
            "x.in / 2; import './a.js'; 3 / 4",
        ] {
            assert_eq!(specifiers(text), ["./a.js"], "{text}");
        }
    }

    #[test]
    fn imports_terminates_on_unfinished_text() {
        for text in [
            "import",
            "import '",
            "import(`${",
            "import {",
            "/* import",
            "import '\\",
            "import /[",
            "im\u{2028}port 'é",
        ] {
            assert_eq!(specifiers(text), [""; 0], "{text}");
        }
    }

    #[cfg(feature = "typescript")]
    #[test]
    fn imports_agrees_with_the_parser_on_the_scripts_of_this_repository() {
        let mut folders: Vec<_> = ["js", "examples", "tests/hostile", "tests/scripts"]
            .map(|folder| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .into();
        let mut compared = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "js")
                    && let Ok(text) = std::fs::read_to_string(&path)
                    && let Some(parsed) = super::super::parser::parse_imports(&text)
                {
                    assert_eq!(imports(&text), parsed, "{}", path.display());
                    compared += 1;
                }
            }
        }
        assert!(compared > 100, "{compared}");
    }
}
