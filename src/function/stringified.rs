//! Writing results as `JSON.stringify` writes them.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// Serializes a JSON value with `serde_json` as `JSON.stringify` writes it. Other serializers get some numbers in a private form of
/// `serde_json`.
///
/// The texts differ in the notation of some numbers: `JSON.stringify` writes `100000000000000000000`, where `serde_json` writes
/// `1e+20`.
///
/// ```
/// use tailor_idp::function::Stringified;
///
/// let value = serde_json::json!([1e20, 1e21, 0.000001]);
/// assert_eq!(serde_json::to_string(&Stringified(&value))?, "[100000000000000000000,1e+21,0.000001]");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Stringified<'a>(pub &'a Value);

impl Serialize for Stringified<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => serialize_number(number, serializer),
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(Stringified)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, member)| (key, Stringified(member))))
            }
            other => other.serialize(serializer),
        }
    }
}

fn serialize_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    // Integers are written alike.
    let float = number.as_f64().filter(|_| number.is_f64());
    let text = float.map(|float| ryu_js::Buffer::new().format(float).to_owned());
    match text.filter(|text| *text != number.to_string()).map(RawValue::from_string) {
        Some(Ok(raw)) => raw.serialize(serializer),
        _ => number.serialize(serializer),
    }
}

/// The number of a finite float, an integer where the text of `JSON.stringify` is one that fits.
///
/// That text has the shortest digits that stand for the float, followed by zeros: `65354595841405790` for the float
/// 65354595841405792.
pub(super) fn number(float: f64) -> Option<Number> {
    let mut buffer = ryu_js::Buffer::new();
    let text = buffer.format(float);
    match text.parse::<i64>() {
        Ok(integer) => Some(integer.into()),
        Err(_) => match text.parse::<u64>() {
            Ok(integer) => Some(integer.into()),
            Err(_) => Number::from_f64(float),
        },
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn numbers_are_written_as_by_json_stringify() {
        for (float, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-7.0, "-7"),
            (0.1 + 0.2, "0.30000000000000004"),
            (6.535459584140579e16, "65354595841405790"),
            (9007199254740993.0, "9007199254740992"),
            (9223372036854775807.0, "9223372036854776000"),
            (-9223372036854775808.0, "-9223372036854776000"),
            (18446744073709551615.0, "18446744073709552000"),
            (1e20, "100000000000000000000"),
            (-1.2345678901234568e20, "-123456789012345680000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.000001, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            let value = Value::Number(number(float).unwrap());
            assert_eq!(serde_json::to_string(&Stringified(&value)).unwrap(), text);
            assert_eq!(value.as_f64().unwrap().abs(), float.abs());
        }
        assert_eq!((number(f64::NAN), number(f64::INFINITY)), (None, None));
    }
}
