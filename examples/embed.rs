//! Adds the `tailor_idp` extension to a host's own `JsRuntime`, so that its scripts can use `tailor.idp.Client`.
//!
//! `cargo run --example embed`

use std::sync::Arc;

use tailor_idp::deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, scope, serde_v8, v8};
use tailor_idp::extension;
use tailor_idp::idp::{CreateUser, IdentityProvider, Idp, NamespaceName, NamespaceSettings, Permission, Principal};
use tailor_idp::store::SqliteDatabase;

const SCRIPT: &str = r#"
(async () => {
  const idp = new tailor.idp.Client("staff");
  await idp.createUser({ name: "bo@example.com" });
  const { users, totalCount } = await idp.users();
  return `${totalCount} users: ${users.map((user) => user.name).join(", ")}`;
})()
"#;

// A `JsRuntime` is bound to one thread.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let staff = NamespaceName::new("staff")?;
    let store = SqliteDatabase::in_memory()?.namespace(&staff).await?;
    let idp = Idp::builder()
        .namespace(staff, Arc::new(store), NamespaceSettings::default().permission(Permission::allow_all()))
        .build();

    // The host and its scripts share the users.
    idp.create_user("staff", &Principal::Host, CreateUser { name: "ana@example.com".to_owned(), ..Default::default() })
        .await?;

    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![extension::tailor_idp::init(Arc::new(idp), Principal::Anonymous)],
        ..RuntimeOptions::default()
    });
    // Error stacks then contain only frames of the script.
    extension::hide_extension_frames(&mut runtime);
    let promise = runtime.execute_script("file:///script.js", SCRIPT)?;
    let promise = runtime.resolve(promise);
    let result = runtime.with_event_loop_promise(promise, PollEventLoopOptions::default()).await?;

    scope!(scope, &mut runtime);
    let result = v8::Local::new(scope, result);
    println!("{}", serde_v8::from_v8::<String>(scope, result)?);
    Ok(())
}
