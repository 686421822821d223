//! The part of Lucene's query syntax that Auth0's user search takes.

use serde_json::Value;

/// A parsed query.
#[derive(Debug)]
pub(super) enum Query {
    Term {
        field: String,
        value: String,
    },
    Exists(String),
    /// From a text on, in the order of texts: that of dates.
    Since {
        field: String,
        from: String,
    },
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
}

/// The fields that are compared without regard to case.
const CASELESS: [&str; 5] = ["email", "name", "given_name", "family_name", "nickname"];

impl Query {
    /// Parses a query; what remains in it is an error.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { chars: text.chars().collect(), at: 0 };
        let query = parser.any(None)?;
        parser.space();
        if parser.at == parser.chars.len() { Ok(query) } else { Err(format!("unexpected text at {}", parser.at)) }
    }

    pub(super) fn matches(&self, user: &Value) -> bool {
        match self {
            Self::Term { field, value } => values(user, field).iter().any(|found| {
                if CASELESS.contains(&field.as_str()) {
                    found.to_lowercase() == value.to_lowercase()
                } else {
                    found == value
                }
            }),
            Self::Since { field, from } => values(user, field).iter().any(|found| found >= from),
            Self::Exists(field) => !values(user, field).is_empty(),
            Self::And(left, right) => left.matches(user) && right.matches(user),
            Self::Or(left, right) => left.matches(user) || right.matches(user),
            Self::Not(query) => !query.matches(user),
        }
    }
}

/// The texts at a path with dots, through arrays.
fn values(value: &Value, path: &str) -> Vec<String> {
    if let Value::Array(entries) = value {
        return entries.iter().flat_map(|entry| values(entry, path)).collect();
    }
    match path.split_once('.') {
        Some((key, rest)) => values(&value[key], rest),
        None => match &value[path] {
            Value::Null => Vec::new(),
            Value::String(text) => vec![text.clone()],
            other => vec![other.to_string()],
        },
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn space(&mut self) {
        while self.chars.get(self.at) == Some(&' ') {
            self.at += 1;
        }
    }

    fn take(&mut self, text: &str) -> bool {
        self.space();
        let end = self.at + text.chars().count();
        let found = self.chars.get(self.at..end).is_some_and(|part| part.iter().copied().eq(text.chars()));
        if found {
            self.at = end;
        }
        found
    }

    /// `a OR b`, of terms of `field` if there is one.
    fn any(&mut self, field: Option<&str>) -> Result<Query, String> {
        let mut query = self.all(field)?;
        while self.take("OR ") {
            query = Query::Or(Box::new(query), Box::new(self.all(field)?));
        }
        Ok(query)
    }

    fn all(&mut self, field: Option<&str>) -> Result<Query, String> {
        let mut query = self.one(field)?;
        while self.take("AND ") {
            query = Query::And(Box::new(query), Box::new(self.one(field)?));
        }
        Ok(query)
    }

    fn one(&mut self, field: Option<&str>) -> Result<Query, String> {
        if self.take("NOT ") {
            return Ok(Query::Not(Box::new(self.one(field)?)));
        }
        if self.take("(") {
            let query = self.any(field)?;
            return if self.take(")") { Ok(query) } else { Err("a bracket is open".to_owned()) };
        }
        if let Some(field) = field {
            return Ok(Query::Term { field: field.to_owned(), value: self.value()? });
        }
        let field = self.word();
        if field.is_empty() || !self.take(":") {
            return Err(format!("a field is expected at {}", self.at));
        }
        if field == "_exists_" {
            return Ok(Query::Exists(self.word()));
        }
        if self.take("[") {
            let rest = self.chars[self.at..].iter();
            let from: String = rest.take_while(|char| **char != ' ').collect();
            self.at += from.chars().count();
            return if self.take("TO *]") {
                Ok(Query::Since { field, from })
            } else {
                Err("a range is open".to_owned())
            };
        }
        if self.take("(") {
            let query = self.any(Some(&field))?;
            return if self.take(")") { Ok(query) } else { Err("a bracket is open".to_owned()) };
        }
        Ok(Query::Term { value: self.value()?, field })
    }

    fn word(&mut self) -> String {
        self.space();
        let rest = self.chars[self.at..].iter();
        let word: String = rest.take_while(|char| char.is_alphanumeric() || matches!(char, '_' | '.' | '-')).collect();
        self.at += word.chars().count();
        word
    }

    fn value(&mut self) -> Result<String, String> {
        if !self.take("\"") {
            let word = self.word();
            return if word.is_empty() { Err(format!("a value is expected at {}", self.at)) } else { Ok(word) };
        }
        let mut value = String::new();
        loop {
            let char = *self.chars.get(self.at).ok_or("a phrase is open")?;
            self.at += 1;
            match char {
                '"' => return Ok(value),
                '\\' => {
                    value.push(*self.chars.get(self.at).ok_or("an escape is open")?);
                    self.at += 1;
                }
                char => value.push(char),
            }
        }
    }
}
