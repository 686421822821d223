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
    use std::sync::Arc;

    use async_trait::async_trait;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::FIELDS;
    use crate::function::{FunctionRuntime, Invocation, Script};
    use crate::idp::{
        CreateUser, IdentityProvider, IdpError, ListUsers, Principal, SendPasswordResetEmail, Timestamp, UnenrollMfa,
        UpdateUser, User, UserPage,
    };

    /// The properties that `tailor.d.ts` declares for an interface: their names, and whether they are optional.
    fn declared(interface: &str) -> Vec<(&'static str, bool)> {
        let (_, body) = crate::TYPES.split_once(&format!("  interface {interface} {{\n")).unwrap();
        let (body, _) = body.split_once("\n  }").unwrap();
        let properties = body.lines().map(str::trim).filter(|line| !line.starts_with(['/', '*']));
        properties
            .map(|line| {
                let (name, _) = line.split_once(':').unwrap();
                (name.trim_end_matches('?'), name.ends_with('?'))
            })
            .collect()
    }

    /// Answers `user` with the first user, `userByName` with the second, and `users` with both.
    struct Stub([User; 2]);

    #[async_trait]
    impl IdentityProvider for Stub {
        async fn users(&self, _: &str, _: &Principal, _: ListUsers) -> Result<UserPage, IdpError> {
            Ok(UserPage { users: self.0.to_vec(), next_page_token: None, total_count: 2 })
        }

        async fn user(&self, _: &str, _: &Principal, _: &str) -> Result<User, IdpError> {
            Ok(self.0[0].clone())
        }

        async fn user_by_name(&self, _: &str, _: &Principal, _: &str) -> Result<User, IdpError> {
            Ok(self.0[1].clone())
        }

        async fn create_user(&self, _: &str, _: &Principal, _: CreateUser) -> Result<User, IdpError> {
            unreachable!()
        }

        async fn update_user(&self, _: &str, _: &Principal, _: UpdateUser) -> Result<User, IdpError> {
            unreachable!()
        }

        async fn delete_user(&self, _: &str, _: &Principal, _: &str) -> Result<(), IdpError> {
            unreachable!()
        }

        async fn send_password_reset_email(
            &self,
            _: &str,
            _: &Principal,
            _: SendPasswordResetEmail,
        ) -> Result<(), IdpError> {
            unreachable!()
        }

        async fn unenroll_mfa(&self, _: &str, _: &Principal, _: UnenrollMfa) -> Result<(), IdpError> {
            unreachable!()
        }
    }

    fn names() -> Vec<&'static str> {
        FIELDS.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn fields_match_the_declared_types() {
        let declared = declared("User");
        assert_eq!(declared.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn objects_have_the_declared_properties_and_setters_do_not_see_them() {
        let full = User {
            id: "1".to_owned(),
            name: "Žofie".to_owned(),
            disabled: true,
            created_at: Some(Timestamp::from_unix_millis(0)),
            mfa_enrolled: true,
            mfa_factor_ids: vec!["a".to_owned(), "b".to_owned()],
        };
        let sparse = User {
            id: "2".to_owned(),
            name: "bo".to_owned(),
            disabled: false,
            created_at: None,
            mfa_enrolled: false,
            mfa_factor_ids: Vec::new(),
        };
        let runtime = FunctionRuntime::builder(Arc::new(Stub([full, sparse]))).build();
        let script = r#"
            export default async (fields) => {
              const client = new tailor.idp.Client("main");
              const seen = [];
              for (const field of fields) {
                Object.defineProperty(Object.prototype, field, { set: () => seen.push(field), configurable: true });
              }
              const full = await client.user("1");
              const sparse = await client.userByName("bo");
              const page = await client.users();
              for (const field of fields) delete Object.prototype[field];
              return { full, sparse, page, seen };
            };"#;
        let script = Script::new("file:///users.js".parse().unwrap(), script);
        let execution = runtime.run(&script, Invocation::new(json!(names()))).await;
        let result = execution.result.unwrap();
        let full = json!({
            "id": "1",
            "name": "Žofie",
            "disabled": true,
            "createdAt": "1970-01-01T00:00:00.000Z",
            "mfaEnrolled": true,
            "mfaFactorIds": ["a", "b"],
        });
        let sparse = json!({ "id": "2", "name": "bo", "disabled": false, "mfaEnrolled": false, "mfaFactorIds": [] });
        let page = json!({ "users": [full, sparse], "nextPageToken": null, "totalCount": 2 });
        assert_eq!(result, json!({ "full": full, "sparse": sparse, "page": page, "seen": [] }));

        let properties = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(properties(&result["full"]), names());
        let required: Vec<_> = declared("User").into_iter().filter(|(_, optional)| !optional).collect();
        assert_eq!(properties(&result["sparse"]), required.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let page: Vec<_> = declared("ListUsersResponse").into_iter().map(|(name, _)| name).collect();
        assert_eq!(properties(&result["page"]), page);
    }
}
