//! Reads a TOML document key by key and collects all faults instead of stopping at the first.

use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{SettingsError, SettingsFault};
use super::secret::{SecretVariable, is_variable_name};
use tailor_idp_core::shortened;
use tailor_idp_core::suggest::nearest;

/// Keys that must precede the first table. TOML assigns them to a table if they come after its header.
pub(super) const TOP_KEYS: [&str; 1] = ["mfa_key_env"];

/// The text of a file and the faults found in it so far. Positions are byte offsets into the text.
pub(super) struct Reader<'t> {
    text: &'t str,
    faults: RefCell<Vec<(usize, SettingsFault)>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: RefCell::default() }
    }

    /// Parses the text. Returns `None`, with the faults recorded, if it is not TOML.
    pub(super) fn parse(&self) -> Option<DeTable<'t>> {
        let (tree, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.toml_fault(0, String::new(), error);
        }
        errors.is_empty().then(|| tree.into_inner())
    }

    pub(super) fn fault(&self, at: usize, key: String, text: String) {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.faults.borrow_mut().push((at, SettingsFault { line: Some(line), key, text }));
    }

    /// Records an error of the TOML library at its own position, or `at` if it has none.
    pub(super) fn toml_fault(&self, at: usize, key: String, error: &toml::de::Error) {
        let at = error.span().map_or(at, |span| span.start);
        // The message only: the full text quotes the line, which may hold a secret.
        self.fault(at, key, error.message().trim_end().replace('\n', ", "));
    }

    /// Returns an error with all faults in the order of the file, if there are any.
    pub(super) fn finish(self, file: &Path) -> Result<(), SettingsError> {
        let mut faults = self.faults.into_inner();
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by_key(|(at, _)| *at);
        faults.dedup();
        Err(SettingsError::new(file.to_owned(), faults.into_iter().map(|(_, fault)| fault).collect()))
    }
}

/// A table with its position and path. Records which keys are read, to report the unknown ones at the end.
pub(super) struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    path: String,
    at: usize,
    table: &'r DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
    refused: RefCell<Vec<&'static str>>,
    invalid: RefCell<Vec<String>>,
}

impl<'r, 't> Section<'r, 't> {
    pub(super) fn top(reader: &'r Reader<'t>, table: &'r DeTable<'t>) -> Self {
        Self::new(reader, String::new(), 0, table)
    }

    pub(super) fn new(reader: &'r Reader<'t>, path: String, at: usize, table: &'r DeTable<'t>) -> Self {
        Self {
            reader,
            path,
            at,
            table,
            known: RefCell::default(),
            refused: RefCell::default(),
            invalid: RefCell::default(),
        }
    }

    /// Path of a key in this table.
    pub(super) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Position of a key, or of the table if the key is missing.
    pub(super) fn position(&self, key: &str) -> usize {
        self.entry(key).map_or(self.at, |(name, _)| name.span().start)
    }

    /// Records a fault of a key, which may be missing.
    pub(super) fn fault(&self, key: &str, text: impl Into<String>) {
        let at = self.position(key);
        self.invalid.borrow_mut().push(key.to_owned());
        self.reader.fault(at, self.path(key), text.into());
    }

    /// Whether the text mentions a key that already has a fault, and so may only be a consequence of it.
    pub(super) fn depends_on_invalid_key(&self, text: &str) -> bool {
        self.invalid.borrow().iter().any(|key| text.contains(key.as_str()))
    }

    /// Records a fault of the table itself.
    pub(super) fn own_fault(&self, text: impl Into<String>) {
        self.reader.fault(self.at, self.path.clone(), text.into());
    }

    pub(super) fn reader(&self) -> &'r Reader<'t> {
        self.reader
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// All keys with their positions and values, for tables whose keys the author chooses.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'r str, usize, &'r DeValue<'t>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value.get_ref()))
    }

    pub(super) fn spanned(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.entry(key).map(|(_, value)| value)
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'r DeValue<'t>> {
        self.spanned(key).map(Spanned::get_ref)
    }

    /// The table under this key.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'r, 't>> {
        let value = self.value(key)?;
        let at = self.position(key);
        table_at(self.reader, self.path(key), at, value)
    }

    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            DeValue::String(text) => Some(text.to_string()),
            other => self.wrong_type(key, "a string", other),
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        match self.value(key)? {
            DeValue::Boolean(value) => Some(*value),
            other => self.wrong_type(key, "true or false", other),
        }
    }

    pub(super) fn integer(&self, key: &'static str) -> Option<i128> {
        match self.value(key)? {
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(number),
                Err(_) => {
                    self.fault(key, "is too large a number");
                    None
                }
            },
            other => self.wrong_type(key, "an integer", other),
        }
    }

    pub(super) fn strings(&self, key: &'static str) -> Option<Vec<String>> {
        let expected = "a list of strings";
        match self.value(key)? {
            DeValue::Array(entries) => entries
                .iter()
                .map(|entry| match entry.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    other => self.wrong_type(key, expected, other),
                })
                .collect(),
            other => self.wrong_type(key, expected, other),
        }
    }

    /// One of a fixed set of words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let given = self.string(key)?;
        let found = choices.iter().find(|(word, _)| *word == given);
        if found.is_none() {
            let words = choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>();
            let (last, rest) = words.split_last().map_or(("", String::new()), |(last, rest)| (last, rest.join(", ")));
            self.fault(key, format!("must be {rest} or {last}: got {:?}", shortened(&given)));
        }
        found.map(|(_, choice)| *choice)
    }

    /// A secret, given as the name of the environment variable that holds it. `inline` is a key under which an author might
    /// put the secret itself; it is always a fault.
    pub(super) fn secret(&self, key: &'static str, inline: &'static str, example: &str) -> Option<SecretVariable> {
        self.refused.borrow_mut().push(inline);
        if self.has(inline) {
            let text = "a secret does not belong in the file: put it in an environment variable and name that";
            self.fault(inline, format!("{text}: {key} = {example:?}"));
        }
        let variable = match self.value(key)? {
            DeValue::String(variable) => variable.to_string(),
            other => return self.wrong_type(key, "the name of an environment variable", other),
        };
        if !is_variable_name(&variable) {
            // Do not print the value: it may be the secret.
            self.fault(key, format!("must be the name of an environment variable, in capitals, such as {example}"));
            return None;
        }
        Some(SecretVariable::new(variable, self.path(key)))
    }

    /// Records a fault for every key that was not read.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        let refused = self.refused.borrow();
        for (name, at, _) in self.entries() {
            if !known.contains(&name) && !refused.contains(&name) {
                self.reader.fault(at, self.path(name), unknown_key(name, &known));
            }
        }
    }

    fn entry(&self, key: &str) -> Option<(&'r Spanned<DeString<'t>>, &'r Spanned<DeValue<'t>>)> {
        self.table.get_key_value(key)
    }

    fn wrong_type<T>(&self, key: &str, expected: &str, got: &DeValue<'_>) -> Option<T> {
        self.fault(key, wrong_type(expected, got));
        None
    }
}

/// Returns the value as a section, or records a fault if it is not a table.
pub(super) fn table_at<'r, 't>(
    reader: &'r Reader<'t>,
    path: String,
    at: usize,
    value: &'r DeValue<'t>,
) -> Option<Section<'r, 't>> {
    match value {
        DeValue::Table(table) => Some(Section::new(reader, path, at, table)),
        other => {
            reader.fault(at, path, wrong_type("a table", other));
            None
        }
    }
}

/// Fault text for a value of the wrong type.
pub(super) fn wrong_type(expected: &str, got: &DeValue<'_>) -> String {
    let got = match got {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("must be {expected}: got {got}")
}

/// Appends a key to a path, quoted where TOML requires quotes.
pub(super) fn join(parent: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if bare { shortened(key).into_owned() } else { format!("{:?}", shortened(key)) };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    if TOP_KEYS.contains(&key) && !known.contains(&key) {
        return format!("unknown key: {key} belongs at the top of the file, before the first table");
    }
    match nearest(key, known) {
        Some(known) => format!("unknown key: did you mean {known}?"),
        None => format!("unknown key: expected {}", known.join(", ")),
    }
}
