//! Reading the argument of a handler from JSON text.

use serde::Deserialize;
use serde_json::{Deserializer, Value};

/// Deepest nesting of an argument. Code that walks a value recursively, such as serialization, needs stack for each level.
pub const MAX_ARGUMENT_DEPTH: usize = 500;

/// Why a text or a value cannot be the argument of a handler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArgument {
    /// The text is not JSON.
    #[error("is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The value has more than [`MAX_ARGUMENT_DEPTH`] levels.
    #[error("is nested {0} levels deep, of at most {MAX_ARGUMENT_DEPTH}")]
    TooDeep(usize),
}

/// Parses the argument of a handler, for [`Invocation::new`](crate::function::Invocation::new).
///
/// It accepts as many levels as a handler does; [`serde_json::from_str`] stops at 127.
///
/// # Errors
///
/// The text is not JSON, or is nested more than [`MAX_ARGUMENT_DEPTH`] levels deep.
pub fn parse_argument(text: &str) -> Result<Value, InvalidArgument> {
    // Before the parser, which needs stack for each level.
    let levels = depth_of_text(text);
    if levels > MAX_ARGUMENT_DEPTH {
        return Err(InvalidArgument::TooDeep(levels));
    }
    let mut deserializer = Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Levels of arrays and objects in a text, which does not have to be JSON.
fn depth_of_text(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    let mut is_in_string = false;
    while let Some(byte) = bytes.next() {
        match (is_in_string, byte) {
            (_, b'"') => is_in_string = !is_in_string,
            (true, b'\\') => drop(bytes.next()),
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Checks the nesting of a value that a host has made.
///
/// # Errors
///
/// The value is nested more than [`MAX_ARGUMENT_DEPTH`] levels deep.
pub(super) fn check_depth(value: &Value) -> Result<(), InvalidArgument> {
    let mut deepest = 0;
    let mut containers = vec![(value, 1)];
    while let Some((value, depth)) = containers.pop() {
        let children: &mut dyn Iterator<Item = &Value> = match value {
            Value::Array(elements) => &mut elements.iter(),
            Value::Object(members) => &mut members.values(),
            _ => continue,
        };
        deepest = deepest.max(depth);
        containers
            .extend(children.filter(|child| child.is_array() || child.is_object()).map(|child| (child, depth + 1)));
    }
    if deepest > MAX_ARGUMENT_DEPTH { Err(InvalidArgument::TooDeep(deepest)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn argument_is_parsed_up_to_its_deepest_level() {
        let value = parse_argument(&nested(500)).unwrap();
        assert!(check_depth(&value).is_ok());
        assert_eq!(parse_argument(&nested(501)).unwrap_err().to_string(), "is nested 501 levels deep, of at most 500");
        let deeper = Value::Object([("a".to_owned(), value)].into_iter().collect());
        assert_eq!(check_depth(&deeper).unwrap_err().to_string(), "is nested 501 levels deep, of at most 500");
    }

    #[test]
    fn brackets_in_text_do_not_count_as_levels() {
        let text = format!(r#"{{"\"{0}":["{0}\\"]}}"#, "[{".repeat(600));
        assert_eq!(depth_of_text(&text), 2);
        assert!(parse_argument(&text).is_ok());
    }

    #[test]
    fn text_that_is_no_json_is_told_apart_from_deep_json() {
        for text in ["", "{", "1 2", "[1,]", "'a'", "\"", "]]]]", &"]".repeat(10_000)] {
            assert!(matches!(parse_argument(text), Err(InvalidArgument::NotJson(_))), "{text:.20}");
        }
    }
}
