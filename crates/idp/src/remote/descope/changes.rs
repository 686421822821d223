//! The requests that a change of a user takes.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Descope, is_unknown_user, parse, refusal, refused_name, user_not_found, with_reason};
use crate::directory::user_already_exists;
use crate::model::{IdpError, Password, UserRecord};
use crate::remote::backend::Call;
use crate::remote::failure::{Failure, after_effects};
use crate::remote::listing::is_email;
use crate::remote::request::Request;

/// The paths of the calls.
const STATUS: [&str; 5] = ["v1", "mgmt", "user", "update", "status"];
const LOGIN_ID: [&str; 5] = ["v1", "mgmt", "user", "update", "loginid"];
const EMAIL: [&str; 5] = ["v1", "mgmt", "user", "update", "email"];
const PASSWORD: [&str; 6] = ["v1", "mgmt", "user", "password", "set", "active"];

/// Changes of one user, each a request. The error of one says which of those before took effect.
pub(super) struct Changes<'a> {
    descope: &'a Descope,
    call: &'a Call<'a>,
    user: UserRecord,
    done: Vec<&'static str>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(descope: &'a Descope, call: &'a Call<'a>, user: UserRecord) -> Self {
        Self { descope, call, user, done: Vec::new() }
    }

    /// Names what has already taken effect.
    pub(super) fn after(mut self, done: &'static str) -> Self {
        self.done.push(done);
        self
    }

    /// The user after the changes so far.
    pub(super) fn user(&self) -> &UserRecord {
        &self.user
    }

    pub(super) fn into_user(self) -> UserRecord {
        self.user
    }

    pub(super) async fn set_status(&mut self, disabled: bool) -> Result<(), IdpError> {
        let (status, done) =
            if disabled { ("disabled", "the user is disabled") } else { ("enabled", "the user is enabled") };
        let body = json!({ "loginId": self.user.name, "status": status });
        match self.send(self.descope.post(&STATUS, body).repeatable()).await {
            Ok(()) if self.user.disabled == disabled => {
                self.done.push(done);
                Ok(())
            }
            Ok(()) => Err(self.failed(Failure::Malformed("the status is not what was set".to_owned()), None)),
            Err(failure) => Err(self.failed(failure, None)),
        }
    }

    /// Changes the login ID, and the e-mail address with it.
    pub(super) async fn rename(&mut self, name: &str) -> Result<(), IdpError> {
        // Not repeated: the former login ID is unknown after the first success.
        let request = self.descope.post(&LOGIN_ID, json!({ "loginId": self.user.name, "newLoginId": name }));
        if let Err(failure) = self.send(request).await {
            return Err(self.refused_name(name, failure, "the user was renamed").await);
        }
        name.clone_into(&mut self.user.name);
        self.done.push("the name is changed");
        if !is_email(name) {
            return Ok(());
        }
        // Without `failOnConflict`, Descope merges the user with another one who has the address.
        let body = json!({ "loginId": name, "email": name, "verified": true, "failOnConflict": true });
        if let Err(failure) = self.send(self.descope.post(&EMAIL, body).repeatable()).await {
            return Err(self.refused_name(name, failure, "the e-mail address was changed").await);
        }
        self.done.push("the e-mail address is changed");
        Ok(())
    }

    pub(super) async fn set_password(&mut self, password: &Password) -> Result<(), IdpError> {
        let body = json!({ "loginId": self.user.name, "password": password.expose_secret() });
        let request = self.descope.post(&PASSWORD, body).repeatable().secret(password);
        match self.send(request).await {
            Ok(()) => {
                self.done.push("the password is changed");
                Ok(())
            }
            Err(failure) => Err(match refusal(&failure).filter(|error| !error.is_unknown_user()) {
                Some(error) => {
                    let refused = with_reason("Descope refuses the password", error);
                    self.amend(IdpError::invalid_argument(refused).with_source(failure))
                }
                None => self.failed(failure, None),
            }),
        }
    }

    /// Sends the request of one change, and takes over the user of the answer, if it has one.
    async fn send(&mut self, request: Request) -> Result<(), Failure> {
        let answer = self.call.send(request).await?;
        // The answer for a password has no user.
        let user = parse(&answer)?.user.map(UserRecord::from);
        match user {
            Some(user) if user.id != self.user.id => Err(Failure::Malformed("the user is another".to_owned())),
            Some(user) => {
                self.user = user;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn refused_name(&self, name: &str, failure: Failure, unknown: &str) -> IdpError {
        let Some(error) = refusal(&failure).filter(|error| !error.is_unknown_user()) else {
            return self.failed(failure, Some(unknown));
        };
        let is_taken = self.descope.name_is_taken(self.call, &error, name, Some(&self.user.id)).await;
        let error = if is_taken { user_already_exists(name) } else { refused_name(name) };
        self.amend(error.with_source(failure))
    }

    fn failed(&self, failure: Failure, unknown: Option<&str>) -> IdpError {
        let error = match unknown {
            _ if is_unknown_user(&failure) => user_not_found(&self.user.id),
            Some(unknown) => self.call.failed_write(failure, unknown),
            None => self.call.failed(failure),
        };
        self.amend(error)
    }

    fn amend(&self, error: IdpError) -> IdpError {
        after_effects(error, &self.done)
    }
}
