//! `tailor.idp.Client`: the ops behind the class in `js/idp.js`.
//!
//! An op reads its arguments, calls the identity provider, and turns what comes back into a value. Rules are none of
//! its business.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{ExtensionFileSource, OpState, ascii_str_include, op2, v8};

use super::call::{CallBudget, Client, call};
use super::convert::{Fields, boolean, integer, kind, password, string, strings};
use super::error::InvalidConfig;
use crate::idp::{
    CreateUser, IdentityProvider, ListUsers, NamespaceName, Principal, SendPasswordResetEmail, UnenrollMfa, UpdateUser,
    UserQuery,
};

/// UTF-16 units of a namespace name that are looked at: enough to say what is wrong with it.
const MAX_NAMESPACE: usize = 1024;

const CLIENT: &[ExtensionFileSource] =
    &[ExtensionFileSource::new("ext:tailor_idp/idp.js", ascii_str_include!("../../js/idp.js"))];

deno_core::extension!(
    tailor_idp,
    ops = [
        op_context_invoker,
        op_idp_client_namespace,
        op_idp_users,
        op_idp_user,
        op_idp_user_by_name,
        op_idp_create_user,
        op_idp_update_user,
        op_idp_delete_user,
        op_idp_send_password_reset_email,
        op_idp_unenroll_mfa,
    ],
    esm_entry_point = "ext:tailor_idp/idp.js",
    options = { idp: Arc<dyn IdentityProvider>, principal: Principal },
    state = |state, options| {
        state.put(options.idp);
        state.put(options.principal);
        state.put(CallBudget::default());
    },
    customizer = |extension: &mut deno_core::Extension| {
        // In the binary rather than on the disk of whoever built it.
        extension.esm_files = Cow::Borrowed(CLIENT);
    },
    docs = "`tailor.idp.Client` on `globalThis`, over the identity provider that it is given.",
);

/// The invoker as a plain object, or `null`.
#[op2]
fn op_context_invoker<'s>(scope: &mut v8::PinScope<'s, '_>, state: &OpState) -> v8::Local<'s, v8::Value> {
    let invoker = state.borrow::<Principal>().invoker();
    let json = invoker.and_then(|invoker| serde_json::to_string(invoker).ok());
    json.and_then(|json| v8::String::new(scope, &json))
        .and_then(|json| v8::json::parse(scope, json))
        .unwrap_or_else(|| v8::null(scope).into())
}

/// The namespace of a new client, once its form is checked.
#[op2]
#[string]
fn op_idp_client_namespace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    config: v8::Local<'s, v8::Value>,
    namespace: v8::Local<'s, v8::Value>,
) -> Result<String, InvalidConfig> {
    let Ok(name) = namespace.try_cast::<v8::String>() else {
        let is_config = config.is_object() && !config.is_function() && !config.is_array();
        return Err(InvalidConfig(match is_config {
            true => format!("namespace must be a string, got {}", kind(scope, namespace)),
            false => format!("the argument must be {{ namespace: string }}, got {}", kind(scope, config)),
        }));
    };
    if name.length() > MAX_NAMESPACE {
        return Err(InvalidConfig(format!("a namespace name is at most 63 characters: got {}", name.length())));
    }
    let name = name.to_rust_string_lossy(scope);
    NamespaceName::new(&name).map(|_| name).map_err(|error| InvalidConfig(error.to_string()))
}

#[op2]
fn op_idp_users<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    options: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "users",
        Client { namespace, make_user },
        |scope| {
            let options = Fields::of_optional(scope, "options", options)?;
            let query = options.nested(scope, "query", "query.")?;
            Ok(ListUsers {
                first: options.optional(scope, "first", integer)?,
                after: options.optional(scope, "after", string)?,
                query: UserQuery {
                    ids: query.optional(scope, "ids", strings)?,
                    names: query.optional(scope, "names", strings)?,
                },
            })
        },
        |at, options| async move { at.idp.users(&at.namespace, &at.principal, options).await },
    )
}

#[op2]
fn op_idp_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    user_id: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "user",
        Client { namespace, make_user },
        |scope| string(scope, "userId", user_id),
        |at, user_id| async move { at.idp.user(&at.namespace, &at.principal, &user_id).await },
    )
}

#[op2]
fn op_idp_user_by_name<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    name: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "userByName",
        Client { namespace, make_user },
        |scope| string(scope, "name", name),
        |at, name| async move { at.idp.user_by_name(&at.namespace, &at.principal, &name).await },
    )
}

#[op2]
fn op_idp_create_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    input: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "createUser",
        Client { namespace, make_user },
        |scope| {
            let input = Fields::of(scope, "input", input)?;
            Ok(CreateUser {
                name: input.required(scope, "name", string)?,
                password: input.optional(scope, "password", password)?,
                disabled: input.optional(scope, "disabled", boolean)?.unwrap_or(false),
            })
        },
        |at, input| async move { at.idp.create_user(&at.namespace, &at.principal, input).await },
    )
}

#[op2]
fn op_idp_update_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    input: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "updateUser",
        Client { namespace, make_user },
        |scope| {
            let input = Fields::of(scope, "input", input)?;
            Ok(UpdateUser {
                id: input.required(scope, "id", string)?,
                name: input.optional(scope, "name", string)?,
                password: input.optional(scope, "password", password)?,
                clear_password: input.optional(scope, "clearPassword", boolean)?.unwrap_or(false),
                disabled: input.optional(scope, "disabled", boolean)?,
            })
        },
        |at, input| async move { at.idp.update_user(&at.namespace, &at.principal, input).await },
    )
}

#[op2]
fn op_idp_delete_user<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    user_id: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "deleteUser",
        Client { namespace, make_user },
        |scope| string(scope, "userId", user_id),
        |at, user_id| async move { at.idp.delete_user(&at.namespace, &at.principal, &user_id).await },
    )
}

#[op2]
fn op_idp_send_password_reset_email<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    input: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "sendPasswordResetEmail",
        Client { namespace, make_user },
        |scope| {
            let input = Fields::of(scope, "input", input)?;
            Ok(SendPasswordResetEmail {
                user_id: input.required(scope, "userId", string)?,
                redirect_uri: input.required(scope, "redirectUri", string)?,
                from_name: input.optional(scope, "fromName", string)?,
                subject: input.optional(scope, "subject", string)?,
            })
        },
        |at, input| async move { at.idp.send_password_reset_email(&at.namespace, &at.principal, input).await },
    )
}

#[op2]
fn op_idp_unenroll_mfa<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    namespace: v8::Local<'s, v8::Value>,
    make_user: v8::Local<'s, v8::Value>,
    input: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call(
        scope,
        &state,
        "unenrollMfa",
        Client { namespace, make_user },
        |scope| {
            let input = Fields::of(scope, "input", input)?;
            Ok(UnenrollMfa {
                user_id: input.required(scope, "userId", string)?,
                mfa_factor_id: input.required(scope, "mfaFactorId", string)?,
            })
        },
        |at, input| async move { at.idp.unenroll_mfa(&at.namespace, &at.principal, input).await },
    )
}
