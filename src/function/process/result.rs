//! Reading the result of an execution, within limits.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::function::limits::ResultLimits;

/// Parses the result of a worker. None if it is not JSON, or has more values than the limit.
///
/// The depth is bounded by the parser, at 128 levels.
pub(in crate::function) fn parse_result(json: &str, limits: &ResultLimits) -> Option<Value> {
    let left = Cell::new(limits.values);
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = Bounded(&left).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Reads a value, and counts it.
struct Bounded<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number of JSON"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Bounded(self.0))? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            object.insert(key, members.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_read_as_they_were_written() {
        let value = json!({ "a": [1, -2, 0.5, -0.0, 1e21, u64::MAX, true, null, "\u{0}é\"\\"], "": {}, "b": [[]] });
        assert_eq!(parse_result(&value.to_string(), &ResultLimits::default()), Some(value));
    }

    #[test]
    fn results_beyond_limits_are_refused() {
        let limits = ResultLimits { values: 3, ..ResultLimits::default() };
        assert_eq!(parse_result("[1,2]", &limits), Some(json!([1, 2])));
        for refused in ["[1,2,3]", "{\"a\":[{}]}x", "[1,2", "", "[] []"] {
            assert_eq!(parse_result(refused, &limits), None, "{refused}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse_result(&deep, &ResultLimits::default()), None);
    }
}
