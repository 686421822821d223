//! Changes of a user, in the requests that Auth0 allows.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::refusal::Written;
use crate::model::Password;
use crate::remote::listing::is_email;

/// One request that changes a user.
pub(super) struct Step<'a> {
    pub(super) fields: Map<String, Value>,
    pub(super) password: Option<&'a Password>,
    pub(super) written: Written<'a>,
}

/// The requests of a change, in order: at most two, the name and then the password, which Auth0 does not change in one. Disabling is
/// part of the first and enabling part of the last, so that a failure in between leaves the user with less access rather than more.
pub(super) fn steps<'a>(
    connection: &str,
    name: Option<&'a str>,
    password: Option<&'a Password>,
    disabled: Option<bool>,
) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    if let Some(name) = name {
        let mut fields = name_fields(name);
        fields.insert("connection".to_owned(), connection.into());
        steps.push(Step { fields, password: None, written: Written::Name });
    }
    if let Some(password) = password {
        let mut fields = Map::new();
        fields.insert("password".to_owned(), password.expose_secret().into());
        fields.insert("connection".to_owned(), connection.into());
        steps.push(Step { fields, password: Some(password), written: Written::Password });
    }
    let Some(disabled) = disabled else { return steps };
    let step = if disabled { steps.first_mut() } else { steps.last_mut() };
    match step {
        Some(step) => {
            step.fields.insert("blocked".to_owned(), disabled.into());
        }
        None => {
            let fields = Map::from_iter([("blocked".to_owned(), Value::Bool(disabled))]);
            steps.push(Step { fields, password: None, written: Written::Nothing });
        }
    }
    steps
}

/// The fields for a name. A new e-mail address is not verified, and no mail is sent about it: the script has not asked for one.
pub(super) fn name_fields(name: &str) -> Map<String, Value> {
    let fields = if is_email(name) {
        json!({ "email": name, "email_verified": false, "verify_email": false })
    } else {
        json!({ "username": name })
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
