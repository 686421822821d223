//! Permissions in scripts that run for an invoker.

use std::sync::Arc;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{FunctionRuntime, Invocation, Script};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{
    CallContext, CreateUser, IdentityProvider, NamespaceSettings, PermissionConfig, Principal, Router,
};

use crate::support::namespace;

const SCRIPT: &str = r#"
    export default async ({ ana }) => {
      const idp = new tailor.idp.Client("users");
      const denied = await idp.deleteUser(ana).catch(({ code, message }) => ({ code, message }));
      const { users, nextPageToken, totalCount } = await idp.users({ first: 1 });
      const other = await idp.userByName("bo@example.com").catch(({ code }) => code);
      return { denied, users: users.map(({ name }) => name), nextPageToken, totalCount, other };
    };
"#;

#[tokio::test]
async fn script_has_permissions_of_its_invoker() {
    let permission = json!({ "read": [{ "conditions": [[{ "idpUser": "id" }, "=", { "user": "id" }]] }] });
    let permission = serde_json::from_value::<PermissionConfig>(permission).unwrap().compile().unwrap();
    let settings = NamespaceSettings::default().permission(permission);
    let store = SqliteDatabase::in_memory().unwrap().namespace(&namespace("users")).await.unwrap();
    let idp = Router::builder().namespace(namespace("users"), Arc::new(store), settings).build();
    let context = CallContext::new(namespace("users"), Principal::Host);
    let create = async |name: &str| {
        let user = CreateUser { name: format!("{name}@example.com"), ..CreateUser::default() };
        idp.create_user(&context, user).await.unwrap().id
    };
    let ana = create("ana").await;
    create("bo").await;
    let runtime = FunctionRuntime::builder(Arc::new(idp.clone())).build();
    let script = Script::new("file:///handler.js".parse().unwrap(), SCRIPT);
    let invocation = || Invocation::new(json!({ "ana": ana }));

    let invoker = serde_json::from_value(json!({ "id": ana, "type": "user" })).unwrap();
    let as_ana = runtime.run(&script, invocation().invoker(invoker)).await.result.unwrap();
    let denied = json!({
        "code": "PERMISSION_DENIED",
        "message": "deleteUser failed: code: 'The caller does not have permission to execute the specified operation', \
                    message: \"permission denied: delete\"",
    });
    let expected = json!({
        "denied": denied, "users": ["ana@example.com"], "nextPageToken": null, "totalCount": 1, "other": "PERMISSION_DENIED",
    });
    assert_eq!(as_ana, expected);

    let anonymous = runtime.run(&script, invocation()).await.result.unwrap();
    let expected = json!({
        "denied": denied, "users": [], "nextPageToken": null, "totalCount": 0, "other": "PERMISSION_DENIED",
    });
    assert_eq!(anonymous, expected);
}
