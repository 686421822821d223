//! The eight methods of a client: JSON to the requests of the identity provider, and its answers to JSON.

use serde::{Deserialize, Serialize};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, ListUsers, Password, Router, SendPasswordResetEmail,
    UnenrollMfa, UpdateUser, User, UserKey, UserPage, UserQuery,
};

/// The input of a method. The JavaScript of the package has checked its types.
#[derive(Deserialize)]
#[serde(tag = "method", content = "input", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Call {
    Users {
        first: Option<i64>,
        after: Option<String>,
        ids: Option<Vec<String>>,
        names: Option<Vec<String>>,
    },
    User(String),
    UserByName(String),
    CreateUser {
        name: String,
        password: Option<Password>,
        #[serde(default)]
        disabled: bool,
    },
    UpdateUser {
        id: String,
        name: Option<String>,
        password: Option<Password>,
        #[serde(default)]
        clear_password: bool,
        disabled: Option<bool>,
    },
    DeleteUser(String),
    SendPasswordResetEmail {
        user_id: String,
        redirect_uri: String,
        from_name: Option<String>,
        subject: Option<String>,
    },
    UnenrollMfa {
        user_id: String,
        mfa_factor_id: String,
    },
}

impl Call {
    /// Calls the identity provider. Returns the answer as JSON: see [`Answer`].
    pub(crate) async fn run(self, router: &Router, context: &CallContext) -> String {
        let (method, answer) = self.answer(router, context).await;
        json_of(method, answer)
    }

    async fn answer(self, router: &Router, context: &CallContext) -> (&'static str, Result<Value, IdpError>) {
        match self {
            Self::Users { first, after, ids, names } => {
                let request = ListUsers { first, after, query: UserQuery { ids, names } };
                ("users", router.users(context, request).await.map(Value::page))
            }
            Self::User(id) => ("user", router.user(context, UserKey::Id(&id)).await.map(Value::user)),
            Self::UserByName(name) => ("userByName", router.user(context, UserKey::Name(&name)).await.map(Value::user)),
            Self::CreateUser { name, password, disabled } => {
                let request = CreateUser { name, password, disabled };
                ("createUser", router.create_user(context, request).await.map(Value::user))
            }
            Self::UpdateUser { id, name, password, clear_password, disabled } => {
                let request = UpdateUser { id, name, password, clear_password, disabled };
                ("updateUser", router.update_user(context, request).await.map(Value::user))
            }
            Self::DeleteUser(id) => ("deleteUser", router.delete_user(context, &id).await.map(Value::done)),
            Self::SendPasswordResetEmail { user_id, redirect_uri, from_name, subject } => {
                let request = SendPasswordResetEmail { user_id, redirect_uri, from_name, subject };
                ("sendPasswordResetEmail", router.send_password_reset_email(context, request).await.map(Value::done))
            }
            Self::UnenrollMfa { user_id, mfa_factor_id } => {
                let request = UnenrollMfa { user_id, mfa_factor_id };
                ("unenrollMfa", router.unenroll_mfa(context, request).await.map(Value::done))
            }
        }
    }
}

/// The answer to a call as the JavaScript of the package reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer<T> {
    Value(T),
    Error {
        code: &'static str,
        message: String,
        /// What scripts of the platform do not see: for the developer.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Page(PageJson),
    User(UserJson),
    Done(bool),
}

impl Value {
    fn page(page: UserPage) -> Self {
        let UserPage { users, next_page_token, total_count } = page;
        Self::Page(PageJson { users: users.into_iter().map(UserJson::from).collect(), next_page_token, total_count })
    }

    fn user(user: User) -> Self {
        Self::User(user.into())
    }

    fn done((): ()) -> Self {
        Self::Done(true)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageJson {
    users: Vec<UserJson>,
    next_page_token: Option<String>,
    total_count: u64,
}

/// A user, in the order of the properties in a function.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserJson {
    id: String,
    name: String,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    mfa_enrolled: bool,
    mfa_factor_ids: Vec<String>,
}

impl From<User> for UserJson {
    fn from(user: User) -> Self {
        let User { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids } = user;
        Self { id, name, disabled, created_at: created_at.map(|time| time.to_string()), mfa_enrolled, mfa_factor_ids }
    }
}

/// The JSON of an answer to `method`.
pub(crate) fn json_of(method: &str, answer: Result<impl Serialize, IdpError>) -> String {
    let answer = match answer {
        Ok(value) => Answer::Value(value),
        Err(error) => {
            let cause = chain(&error);
            let cause = match error.code() {
                Code::Internal => Some(
                    cause.map_or_else(|| error.detail().to_owned(), |cause| format!("{}: {cause}", error.detail())),
                ),
                _ => cause,
            };
            // As in a function: the detail of an internal error is not for the script.
            let shown =
                if error.code() == Code::Internal { &IdpError::new(Code::Internal, "internal error") } else { &error };
            Answer::Error { code: error.code().name(), message: shown.message(method), cause }
        }
    };
    // Texts, numbers and booleans always serialize.
    serde_json::to_string(&answer).unwrap_or_default()
}

/// The sources of an error.
fn chain(error: &IdpError) -> Option<String> {
    let mut source = std::error::Error::source(error);
    let mut texts = Vec::new();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    (!texts.is_empty()).then(|| texts.join(": "))
}
