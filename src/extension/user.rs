//! Users as JavaScript objects.
//!
//! [`FIELDS`] is the only list of the fields. The conversion of a [`User`] and the JavaScript function that creates its object
//! are both generated from it, so that a field cannot be missing or get the value of another. The compiler reports a field of
//! [`User`] that the list does not name.
//!
//! The object is created by an object literal in JavaScript, which is faster than defining properties with the V8 API, and which
//! no setter on a prototype can observe.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use deno_core::ExtensionFileSource;
use deno_core::v8::{self, Function, Local, PinScope, Value};

use super::error::Fallible;
use super::input::attempt;
use super::output::{FieldValue, IntoScript};
use crate::idp::User;

/// Declares the fields of a user, in the order of the object's properties: `field in Rust: "property in JavaScript"`.
///
/// A field can have a default, as a JavaScript expression that is used for `undefined`.
macro_rules! user_fields {
    ($($field:ident: $property:literal $(= $default:literal)?),* $(,)?) => {
        /// The properties of a user's object, in their order, and their defaults. A property without a default is left out if
        /// its value is `undefined`.
        const FIELDS: &[(&str, Option<&str>)] = &[$(($property, [$(Some($default),)? None][0])),*];

        impl IntoScript for User {
            fn into_script<'s>(
                self,
                scope: &mut PinScope<'s, '_>,
                make_user: Local<'s, Function>,
            ) -> Fallible<Local<'s, Value>> {
                let Self { $($field),* } = self;
                let values = [$($field.value(scope)?),*];
                let undefined = v8::undefined(scope).into();
                attempt(scope, |scope| make_user.call(scope, undefined, &values))
            }
        }
    };
}

user_fields! {
    id: "id",
    name: "name",
    disabled: "disabled",
    created_at: "createdAt",
    mfa_enrolled: "mfaEnrolled",
    mfa_factor_ids: "mfaFactorIds" = "[]",
}

/// The module `ext:tailor_idp/user.js`, which exports `makeUser`.
pub(super) fn module() -> ExtensionFileSource {
    static SOURCE: LazyLock<Arc<str>> = LazyLock::new(|| source(FIELDS).into());
    ExtensionFileSource::new_computed("ext:tailor_idp/user.js", Arc::clone(&SOURCE))
}

/// A function that takes the values of the fields in order.
///
/// Users normally have all fields: a plain literal is then several times as fast as one with spreads.
fn source(fields: &[(&str, Option<&str>)]) -> String {
    let (mut parameters, mut all, mut all_present, mut present) =
        (String::new(), String::new(), "true".to_owned(), String::new());
    for (name, default) in fields {
        let _ = write!(all, "{name}, ");
        if let Some(default) = default {
            let _ = write!(parameters, "{name} = {default}, ");
            let _ = write!(present, "{name}, ");
        } else {
            let _ = write!(parameters, "{name}, ");
            let _ = write!(all_present, " && {name} !== undefined");
            let _ = write!(present, "...({name} === undefined ? undefined : {{ {name} }}), ");
        }
    }
    format!("export const makeUser = ({parameters}) => {all_present} ? {{ {all} }} : {{ {present} }};\n")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::FIELDS;

    #[test]
    fn fields_match_the_declared_types() {
        let (_, declared) = crate::TYPES.split_once("  interface User {\n").unwrap();
        let (declared, _) = declared.split_once("\n  }").unwrap();
        let properties = declared.lines().map(str::trim).filter(|line| !line.starts_with(['/', '*']));
        let declared: Vec<_> = properties.map(|line| line.split([':', '?']).next().unwrap()).collect();
        assert_eq!(declared, FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
