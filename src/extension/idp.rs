//! `tailor.idp.Client`: the ops behind the class in `js/idp.js`.
//!
//! An op reads its arguments, calls the identity provider, and turns what comes back into a value. Rules are none of
//! its business.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::v8;
use deno_core::{ExtensionFileSource, OpState, ascii_str_include, op2};

use super::convert::{UserObject, UserPageObject, boolean, integer, kind, object, optional, password, string, strings};
use super::error::{InvalidConfig, Rejection};
use crate::idp::{
    CreateUser, IdentityProvider, ListUsers, NamespaceName, SendPasswordResetEmail, UnenrollMfa, UpdateUser, UserQuery,
};

const CLIENT: &[ExtensionFileSource] =
    &[ExtensionFileSource::new("ext:tailor_idp/idp.js", ascii_str_include!("../../js/idp.js"))];

deno_core::extension!(
    tailor_idp,
    ops = [
        op_idp_client_namespace,
        op_idp_users,
        op_idp_user,
        op_idp_user_by_name,
        op_idp_create_user,
        op_idp_update_user,
        op_idp_delete_user,
        op_idp_send_password_reset_email,
        op_idp_unenroll_mfa,
        op_idp_script_stack,
    ],
    esm_entry_point = "ext:tailor_idp/idp.js",
    options = { idp: Arc<dyn IdentityProvider> },
    state = |state, options| {
        state.put(options.idp);
    },
    customizer = |extension: &mut deno_core::Extension| {
        // In the binary rather than on the disk of whoever built it.
        extension.esm_files = Cow::Borrowed(CLIENT);
    },
    docs = "`tailor.idp.Client` on `globalThis`, over the identity provider that it is given.",
);

fn provider(state: &Rc<RefCell<OpState>>) -> Arc<dyn IdentityProvider> {
    Arc::clone(state.borrow().borrow::<Arc<dyn IdentityProvider>>())
}

/// The namespace of a new client, once its form is checked.
#[op2]
#[string]
fn op_idp_client_namespace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    config: v8::Local<'s, v8::Value>,
    namespace: v8::Local<'s, v8::Value>,
) -> Result<String, InvalidConfig> {
    let refused = |detail: String| Err(InvalidConfig(detail));
    if !namespace.is_string() {
        return refused(match config.is_object() {
            true => format!("namespace must be a string, got {}", kind(scope, namespace)),
            false => format!("the argument must be {{ namespace: string }}, got {}", kind(scope, config)),
        });
    }
    let name = string(scope, "namespace", namespace).map_err(|error| InvalidConfig(error.detail().to_owned()))?;
    match NamespaceName::new(&name) {
        Ok(_) => Ok(name),
        Err(error) => refused(error.to_string()),
    }
}

#[op2]
fn op_idp_users<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    options: v8::Local<'s, v8::Value>,
    first: v8::Local<'s, v8::Value>,
    after: v8::Local<'s, v8::Value>,
    query: v8::Local<'s, v8::Value>,
    ids: v8::Local<'s, v8::Value>,
    names: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<UserPageObject, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("users");
    let mut read = || {
        optional(scope, "options", options, object)?;
        optional(scope, "query", query, object)?;
        let ids = optional(scope, "query.ids", ids, strings)?;
        let names = optional(scope, "query.names", names, strings)?;
        Ok(ListUsers {
            first: optional(scope, "first", first, integer)?,
            after: optional(scope, "after", after, string)?,
            query: UserQuery { ids, names },
        })
    };
    let options = read().map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { Ok(idp.users(&namespace, options).await.map_err(rejected)?.into()) })
}

#[op2]
fn op_idp_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    user_id: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<UserObject, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("user");
    let user_id = string(scope, "userId", user_id).map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { Ok(idp.user(&namespace, &user_id).await.map_err(rejected)?.into()) })
}

#[op2]
fn op_idp_user_by_name<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    name: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<UserObject, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("userByName");
    let name = string(scope, "name", name).map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { Ok(idp.user_by_name(&namespace, &name).await.map_err(rejected)?.into()) })
}

#[op2]
fn op_idp_create_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    input: v8::Local<'s, v8::Value>,
    name: v8::Local<'s, v8::Value>,
    secret: v8::Local<'s, v8::Value>,
    disabled: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<UserObject, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("createUser");
    let mut read = || {
        object(scope, "input", input)?;
        Ok(CreateUser {
            name: string(scope, "name", name)?,
            password: optional(scope, "password", secret, password)?,
            disabled: optional(scope, "disabled", disabled, boolean)?.unwrap_or(false),
        })
    };
    let input = read().map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { Ok(idp.create_user(&namespace, input).await.map_err(rejected)?.into()) })
}

#[op2]
fn op_idp_update_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    input: v8::Local<'s, v8::Value>,
    id: v8::Local<'s, v8::Value>,
    name: v8::Local<'s, v8::Value>,
    secret: v8::Local<'s, v8::Value>,
    clear_password: v8::Local<'s, v8::Value>,
    disabled: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<UserObject, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("updateUser");
    let mut read = || {
        object(scope, "input", input)?;
        Ok(UpdateUser {
            id: string(scope, "id", id)?,
            name: optional(scope, "name", name, string)?,
            password: optional(scope, "password", secret, password)?,
            clear_password: optional(scope, "clearPassword", clear_password, boolean)?.unwrap_or(false),
            disabled: optional(scope, "disabled", disabled, boolean)?,
        })
    };
    let input = read().map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { Ok(idp.update_user(&namespace, input).await.map_err(rejected)?.into()) })
}

#[op2]
fn op_idp_delete_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    user_id: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<bool, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("deleteUser");
    let user_id = string(scope, "userId", user_id).map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { idp.delete_user(&namespace, &user_id).await.map_err(rejected).map(|()| true) })
}

#[op2]
fn op_idp_send_password_reset_email<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    input: v8::Local<'s, v8::Value>,
    user_id: v8::Local<'s, v8::Value>,
    redirect_uri: v8::Local<'s, v8::Value>,
    from_name: v8::Local<'s, v8::Value>,
    subject: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<bool, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("sendPasswordResetEmail");
    let mut read = || {
        object(scope, "input", input)?;
        Ok(SendPasswordResetEmail {
            user_id: string(scope, "userId", user_id)?,
            redirect_uri: string(scope, "redirectUri", redirect_uri)?,
            from_name: optional(scope, "fromName", from_name, string)?,
            subject: optional(scope, "subject", subject, string)?,
        })
    };
    let input = read().map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { idp.send_password_reset_email(&namespace, input).await.map_err(rejected).map(|()| true) })
}

#[op2]
fn op_idp_unenroll_mfa<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] namespace: String,
    input: v8::Local<'s, v8::Value>,
    user_id: v8::Local<'s, v8::Value>,
    mfa_factor_id: v8::Local<'s, v8::Value>,
) -> Result<impl Future<Output = Result<bool, Rejection>> + use<>, Rejection> {
    let rejected = Rejection::of("unenrollMfa");
    let mut read = || {
        object(scope, "input", input)?;
        Ok(UnenrollMfa {
            user_id: string(scope, "userId", user_id)?,
            mfa_factor_id: string(scope, "mfaFactorId", mfa_factor_id)?,
        })
    };
    let input = read().map_err(rejected)?;
    let idp = provider(&state);
    Ok(async move { idp.unenroll_mfa(&namespace, input).await.map_err(rejected).map(|()| true) })
}

/// A stack without the frames of the extension: what is left is the script's.
#[op2]
#[string]
fn op_idp_script_stack(#[string] stack: &str) -> String {
    let ours = |line: &&str| line.contains("ext:tailor_idp/") || line.contains("ext:core/");
    stack.lines().filter(|line| !ours(line)).collect::<Vec<_>>().join("\n")
}
