//! `tailor.idp.Client`: the ops behind the class in `js/idp.js`.
//!
//! An op reads its argument, calls the identity provider and converts the result. It applies no rules of the identity
//! provider.

use std::borrow::Cow;
use std::sync::Arc;

use deno_core::v8::{self, Local, PinScope, Value};
use deno_core::{ExtensionFileSource, OpState, ascii_str_include, op2};

use super::call::client_ops;
use super::call_budget::CallBudget;
use super::caller::Caller;
use super::error::{Fallible, InvalidConfig};
use super::input::{Fields, boolean, integer, nullable_string, password, string, strings, type_name};
use super::json_text::JsonText;
use super::user;
use crate::idp::{
    CreateUser, IdentityProvider, ListUsers, NamespaceName, Principal, SendPasswordResetEmail, UnenrollMfa, UpdateUser,
    UserKey, UserQuery,
};

/// Maximum UTF-16 units of a namespace name that are validated. Longer names are rejected by their length alone.
const MAX_NAMESPACE: usize = 1024;

const CLIENT: ExtensionFileSource =
    ExtensionFileSource::new("ext:tailor_idp/idp.js", ascii_str_include!("../../js/idp.js"));

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
        state.put(Caller::new(options.idp, options.principal));
        state.put(CallBudget::default());
    },
    customizer = |extension: &mut deno_core::Extension| {
        // Embeds the sources: the `esm` key would read them from the build machine's disk at run time.
        extension.esm_files = Cow::Owned(vec![user::module(), CLIENT]);
    },
    docs = "Defines `tailor.idp.Client` on `globalThis`, backed by an identity provider.",
);

// op: method in JavaScript, reader of its argument => operation of the identity provider.
client_ops! {
    op_idp_users: "users", list_users => |options| users(options);
    op_idp_user: "user", user_id => |id| user(UserKey::Id(&id));
    op_idp_user_by_name: "userByName", user_name => |name| user(UserKey::Name(&name));
    op_idp_create_user: "createUser", create_user => |input| create_user(input);
    op_idp_update_user: "updateUser", update_user => |input| update_user(input);
    op_idp_delete_user: "deleteUser", user_id => |id| delete_user(&id);
    op_idp_send_password_reset_email: "sendPasswordResetEmail", send_password_reset_email
        => |input| send_password_reset_email(input);
    op_idp_unenroll_mfa: "unenrollMfa", unenroll_mfa => |input| unenroll_mfa(input);
}

fn user_id<'s>(scope: &mut PinScope<'s, '_>, user_id: Local<'s, Value>) -> Fallible<String> {
    string(scope, "userId", user_id)
}

fn user_name<'s>(scope: &mut PinScope<'s, '_>, name: Local<'s, Value>) -> Fallible<String> {
    string(scope, "name", name)
}

fn list_users<'s>(scope: &mut PinScope<'s, '_>, options: Local<'s, Value>) -> Fallible<ListUsers> {
    let options = Fields::of_optional(scope, "options", options)?;
    let query = options.nested(scope, "query", "query.")?;
    Ok(ListUsers {
        first: options.optional(scope, "first", integer)?,
        after: options.optional(scope, "after", nullable_string)?.flatten(),
        query: UserQuery {
            ids: query.optional(scope, "ids", strings)?,
            names: query.optional(scope, "names", strings)?,
        },
    })
}

fn create_user<'s>(scope: &mut PinScope<'s, '_>, input: Local<'s, Value>) -> Fallible<CreateUser> {
    let input = Fields::of(scope, "input", input)?;
    Ok(CreateUser {
        name: input.required(scope, "name", string)?,
        password: input.optional(scope, "password", password)?,
        disabled: input.optional(scope, "disabled", boolean)?.unwrap_or(false),
    })
}

fn update_user<'s>(scope: &mut PinScope<'s, '_>, input: Local<'s, Value>) -> Fallible<UpdateUser> {
    let input = Fields::of(scope, "input", input)?;
    Ok(UpdateUser {
        id: input.required(scope, "id", string)?,
        name: input.optional(scope, "name", string)?,
        password: input.optional(scope, "password", password)?,
        clear_password: input.optional(scope, "clearPassword", boolean)?.unwrap_or(false),
        disabled: input.optional(scope, "disabled", boolean)?,
    })
}

fn send_password_reset_email<'s>(
    scope: &mut PinScope<'s, '_>,
    input: Local<'s, Value>,
) -> Fallible<SendPasswordResetEmail> {
    let input = Fields::of(scope, "input", input)?;
    Ok(SendPasswordResetEmail {
        user_id: input.required(scope, "userId", string)?,
        redirect_uri: input.required(scope, "redirectUri", string)?,
        from_name: input.optional(scope, "fromName", string)?,
        subject: input.optional(scope, "subject", string)?,
    })
}

fn unenroll_mfa<'s>(scope: &mut PinScope<'s, '_>, input: Local<'s, Value>) -> Fallible<UnenrollMfa> {
    let input = Fields::of(scope, "input", input)?;
    Ok(UnenrollMfa {
        user_id: input.required(scope, "userId", string)?,
        mfa_factor_id: input.required(scope, "mfaFactorId", string)?,
    })
}

/// Validates the argument of the constructor of a client and returns its namespace.
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
            true => format!("namespace must be a string, got {}", type_name(scope, namespace)),
            false => format!("the argument must be {{ namespace: string }}, got {}", type_name(scope, config)),
        }));
    };
    if name.length() > MAX_NAMESPACE {
        return Err(InvalidConfig(format!("a namespace name is at most 63 characters: got {}", name.length())));
    }
    let name = name.to_rust_string_lossy(scope);
    NamespaceName::new(&name).map(|_| name).map_err(|error| InvalidConfig(error.to_string()))
}

/// The invoker as a plain object. `null` if there is none.
#[op2]
fn op_context_invoker<'s>(scope: &mut v8::PinScope<'s, '_>, state: &OpState) -> v8::Local<'s, v8::Value> {
    let invoker = state.borrow::<Caller>().principal().invoker();
    let json = invoker.and_then(|invoker| serde_json::to_value(invoker).ok());
    json.and_then(|json| JsonText::new(json).to_v8(scope)).unwrap_or_else(|| v8::null(scope).into())
}
