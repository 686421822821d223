//! The creation of users.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::changes::Changes;
use super::wire::DescopeUser;
use super::{Descope, parse, refusal, refused_name, with_reason};
use crate::directory::user_already_exists;
use crate::model::{CreateUser, IdpError};
use crate::remote::backend::Call;
use crate::remote::failure::Failure;
use crate::remote::foreign_hash::{Argon2id, ForeignHash};
use crate::remote::listing::is_email;
use crate::remote::request::Request;

impl Descope {
    /// Sends the request that creates a user.
    pub(super) async fn send_new(
        &self,
        call: &Call<'_>,
        user: &CreateUser,
        request: Request,
    ) -> Result<DescopeUser, IdpError> {
        match call.send(request).await.and_then(|answer| parse(&answer)) {
            Ok(answer) => self.user_of(call, answer, "the user was created"),
            Err(failure) => Err(self.refused_creation(call, user, failure).await),
        }
    }

    /// The changes of a user who was just created, after the status if the creation ignored it.
    pub(super) async fn disable_new<'a>(
        &'a self,
        call: &'a Call<'a>,
        created: DescopeUser,
        disabled: bool,
    ) -> Result<Changes<'a>, IdpError> {
        let mut changes = Changes::of(self, call, created.into()).after("the user is created");
        if disabled && !changes.user().disabled {
            changes.set_status(true).await?;
        }
        Ok(changes)
    }

    /// The error for a name or a password that Descope refuses at creation.
    async fn refused_creation(&self, call: &Call<'_>, user: &CreateUser, failure: Failure) -> IdpError {
        let Some(error) = refusal(&failure) else { return call.failed_write(failure, "the user was created") };
        if self.name_is_taken(call, &error, &user.name, None).await {
            return user_already_exists(&user.name);
        }
        match user.password {
            // It could be the password.
            Some(_) => IdpError::invalid_argument(with_reason("Descope refuses the user or the password", error)),
            None => refused_name(&user.name),
        }
        .with_source(failure)
    }
}

/// The body of a request that creates the user, without a password.
pub(super) fn new_user(user: &CreateUser) -> Value {
    let CreateUser { name, password: _, disabled } = user;
    let status = if *disabled { "disabled" } else { "enabled" };
    let mut body = json!({ "loginId": name, "status": status, "invite": false });
    if is_email(name) {
        // Without it, the address would be no address for reset mails.
        body["email"] = name.as_str().into();
        body["verifiedEmail"] = true.into();
    }
    body
}

/// A hash as a request has it: bytes in base64.
pub(super) fn hashed_password(hash: &ForeignHash<'_>) -> Value {
    match hash {
        ForeignHash::Bcrypt(text) => json!({ "bcrypt": { "hash": text } }),
        ForeignHash::Argon2id(Argon2id { phc: _, salt, hash, memory_kib, passes, lanes }) => json!({ "argon2": {
            "hash": STANDARD.encode(hash), "salt": STANDARD.encode(salt), "type": "argon2id",
            "memory": memory_kib, "iterations": passes, "threads": lanes,
        } }),
    }
}

/// What a refusal could repeat of a hash.
pub(super) fn secrets_of(hash: &ForeignHash<'_>) -> Vec<SecretString> {
    match hash {
        ForeignHash::Bcrypt(text) => vec![(*text).into()],
        ForeignHash::Argon2id(Argon2id { salt, hash, .. }) => {
            vec![STANDARD.encode(hash).into(), STANDARD.encode(salt).into()]
        }
    }
}
