//! Reading a TOML tree key by key, with every fault noted and none the last.

use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{SettingsError, SettingsFault};
use super::secret::{SecretVariable, is_variable_name};
use crate::idp::shortened;

/// Differences to a known key that still look like a slip of the keyboard, for each of so many characters.
const CHARS_A_SLIP: usize = 3;

/// The keys that stand at the top of the file before any table: TOML takes them for a table's when they come after it.
pub(super) const TOP_KEYS: [&str; 1] = ["mfa_key_env"];

/// The file's text, and the faults found so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    faults: RefCell<Vec<(usize, SettingsFault)>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: RefCell::default() }
    }

    /// The tree, or `None` where the text is not TOML.
    pub(super) fn parse(&self) -> Option<DeTable<'t>> {
        let (tree, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            // Its message only: the rest quotes the line, and with it what may be secret.
            let at = error.span().map_or(0, |span| span.start);
            self.fault(at, String::new(), error.message().trim_end().replace('\n', ", "));
        }
        errors.is_empty().then(|| tree.into_inner())
    }

    pub(super) fn fault(&self, at: usize, key: String, text: String) {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.faults.borrow_mut().push((at, SettingsFault { line: Some(line), key, text }));
    }

    /// Whether the key at this place has a fault already.
    pub(super) fn has_fault(&self, at: usize, key: &str) -> bool {
        self.faults.borrow().iter().any(|(there, fault)| *there == at && fault.key == key)
    }

    /// How many faults there are so far.
    pub(super) fn count(&self) -> usize {
        self.faults.borrow().len()
    }

    /// An error with all faults in the order of the file, if there are any.
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

/// A table, and where it is. Each key that is asked for is known from then on.
pub(super) struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    path: String,
    at: usize,
    table: &'r DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
    refused: RefCell<Vec<&'static str>>,
    faulty: RefCell<Vec<String>>,
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
            faulty: RefCell::default(),
        }
    }

    /// The path of a key in this table.
    pub(super) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Where a key is; where the table is, if the key is missing.
    pub(super) fn place(&self, key: &str) -> usize {
        self.entry(key).map_or(self.at, |(name, _)| name.span().start)
    }

    /// Notes a fault of a key, which may as well be missing.
    pub(super) fn fault(&self, key: &str, text: impl Into<String>) {
        let at = self.place(key);
        self.faulty.borrow_mut().push(key.to_owned());
        self.reader.fault(at, self.path(key), text.into());
    }

    /// Whether the text is about a key that has a fault already, and would only be in its wake.
    pub(super) fn is_in_a_wake(&self, text: &str) -> bool {
        self.faulty.borrow().iter().any(|key| text.contains(key.as_str()))
    }

    /// Notes a fault of the table.
    pub(super) fn own_fault(&self, text: impl Into<String>) {
        self.reader.fault(self.at, self.path.clone(), text.into());
    }

    pub(super) fn reader(&self) -> &'r Reader<'t> {
        self.reader
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Every key of the table with its value, for tables whose keys the author chooses.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'r str, usize, &'r DeValue<'t>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value.get_ref()))
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'r DeValue<'t>> {
        self.known.borrow_mut().push(key);
        self.entry(key).map(|(_, value)| value.get_ref())
    }

    /// The table under this key.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'r, 't>> {
        let value = self.value(key)?;
        let at = self.place(key);
        table_at(self.reader, self.path(key), at, value)
    }

    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            DeValue::String(text) => Some(text.to_string()),
            other => self.wrong(key, "a string", other),
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        match self.value(key)? {
            DeValue::Boolean(value) => Some(*value),
            other => self.wrong(key, "true or false", other),
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
            other => self.wrong(key, "an integer", other),
        }
    }

    pub(super) fn strings(&self, key: &'static str) -> Option<Vec<String>> {
        let DeValue::Array(entries) = self.value(key)? else {
            return self.value(key).and_then(|other| self.wrong(key, "a list of strings", other));
        };
        let text = |entry: &Spanned<DeValue<'_>>| match entry.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => self.wrong(key, "a list of strings", other),
        };
        entries.iter().map(text).collect()
    }

    /// One of a few words.
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

    /// A secret, by the variable that holds it. `inline` is the key under which somebody might put the secret itself.
    pub(super) fn secret(&self, key: &'static str, inline: &'static str, example: &str) -> Option<SecretVariable> {
        self.refused.borrow_mut().push(inline);
        if self.has(inline) {
            let text = "a secret does not belong in the file: put it in an environment variable and name that";
            self.fault(inline, format!("{text}: {key} = {example:?}"));
        }
        let variable = match self.value(key)? {
            DeValue::String(variable) => variable.to_string(),
            other => return self.wrong(key, "the name of an environment variable", other),
        };
        if !is_variable_name(&variable) {
            // It is not shown: it may be the secret.
            self.fault(key, format!("must be the name of an environment variable, in capitals, such as {example}"));
            return None;
        }
        Some(SecretVariable::new(variable, self.path(key)))
    }

    /// Notes every key that nobody has asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        let refused = self.refused.borrow();
        for (name, at, _) in self.entries() {
            if !known.contains(&name) && !refused.contains(&name) {
                self.reader.fault(at, self.path(name), unknown(name, &known));
            }
        }
    }

    fn entry(&self, key: &str) -> Option<(&'r Spanned<toml::de::DeString<'t>>, &'r Spanned<DeValue<'t>>)> {
        self.table.get_key_value(key)
    }

    fn wrong<T>(&self, key: &str, expected: &str, got: &DeValue<'_>) -> Option<T> {
        self.fault(key, wrong(expected, got));
        None
    }
}

/// A value as a table, or a fault.
pub(super) fn table_at<'r, 't>(
    reader: &'r Reader<'t>,
    path: String,
    at: usize,
    value: &'r DeValue<'t>,
) -> Option<Section<'r, 't>> {
    match value {
        DeValue::Table(table) => Some(Section::new(reader, path, at, table)),
        other => {
            reader.fault(at, path, wrong("a table", other));
            None
        }
    }
}

pub(super) fn wrong(expected: &str, got: &DeValue<'_>) -> String {
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

/// `key` as a part of the path `parent`.
pub(super) fn join(parent: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if bare { shortened(key).into_owned() } else { format!("{:?}", shortened(key)) };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

/// What is said of a key, or of another word, that is not among the known ones.
pub(super) fn unknown(key: &str, known: &[&str]) -> String {
    if TOP_KEYS.contains(&key) && !known.contains(&key) {
        return format!("unknown key: {key} belongs at the top of the file, before the first table");
    }
    match similar(key, known) {
        Some(known) => format!("unknown key: did you mean {known}?"),
        None => format!("unknown key: expected {}", known.join(", ")),
    }
}

/// The word that was meant, if one is close enough. Spelling it `password_min_length` is no difference.
pub(super) fn similar<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let word = plain(word);
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.chars().count().div_ceil(CHARS_A_SLIP).min(4)).then_some(nearest)
}
