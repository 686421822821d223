//! Adds `tailor.idp.Client` to a host's own `JsRuntime`, over a directory of the host's own.
//!
//! `cargo run --example embed`

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tailor_idp::deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, scope, serde_v8, v8};
use tailor_idp::extension;
use tailor_idp::idp::directory::{
    CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, PasswordUpdate, UserChange,
};
use tailor_idp::idp::{
    Code, CreateUser, IdentityProvider, IdpError, NamespaceName, NamespaceSettings, Password, Permission, Predicate,
    Principal, Router, Timestamp, UserKey, UserRecord, Version,
};

/// A directory of the host's own: users in a map, by id.
pub struct StaffList {
    capabilities: Capabilities,
    users: Mutex<BTreeMap<String, (UserRecord, Option<Password>)>>,
    /// The number of ids given so far. The id of a deleted user is not given again.
    ids: AtomicU64,
}

impl Default for StaffList {
    fn default() -> Self {
        let capabilities =
            Capabilities::all("the staff list").without(Capability::ResetMails).without(Capability::Factors);
        Self { capabilities, users: Mutex::default(), ids: AtomicU64::default() }
    }
}

#[async_trait]
impl Directory for StaffList {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, _: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |user: &&UserRecord| match key {
            UserKey::Id(id) => user.id == id,
            UserKey::Name(name) => user.name == name,
        };
        Ok(users.values().map(|(user, _)| user).find(is_wanted).cloned())
    }

    async fn list(&self, _: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = Predicate::all([request.query.into_predicate(), request.visible]);
        let found: Vec<_> = users.values().map(|(user, _)| user).filter(|user| filter.holds(user)).collect();
        let after = request.after.unwrap_or_default();
        let mut rest = found.iter().filter(|user| user.id > after);
        let users: Vec<UserRecord> = rest.by_ref().take(request.limit as usize).map(|user| (*user).clone()).collect();
        let next = rest.next().and(users.last()).map(|user| user.id.clone());
        Ok(DirectoryPage { users, next, total: found.len() as u64 })
    }

    async fn create(&self, _: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        check_name_is_free(&users, &user.name)?;
        // Ids sort in creation order.
        let (id, created_at) = (format!("{:08}", self.ids.fetch_add(1, Relaxed) + 1), Some(Timestamp::now()));
        let CreateUser { name, password, disabled } = user;
        let record = UserRecord { id, name, disabled, created_at, mfa_factor_ids: Vec::new(), version: Version(1) };
        users.insert(record.id.clone(), (record.clone(), password));
        Ok(record)
    }

    async fn update(&self, _: &CallContext, old: &UserRecord, change: &UserChange) -> Result<UserRecord, IdpError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let new = UserRecord { version: Version(old.version.0 + 1), ..change.applied_to(old) };
        if new.name != old.name {
            check_name_is_free(&users, &new.name)?;
        }
        let current = users.get_mut(&old.id).filter(|(user, _)| user.version == old.version);
        let (user, password) = current.ok_or_else(IdpError::conflict)?;
        match &change.password {
            PasswordUpdate::Keep => {}
            PasswordUpdate::Clear => *password = None,
            PasswordUpdate::Set(new) => *password = Some(new.expose().clone()),
        }
        *user = new.clone();
        Ok(new)
    }

    async fn delete(&self, _: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.get(&user.id).is_none_or(|(current, _)| current.version != user.version) {
            return Err(IdpError::conflict());
        }
        users.remove(&user.id);
        Ok(())
    }
}

fn check_name_is_free(users: &BTreeMap<String, (UserRecord, Option<Password>)>, name: &str) -> Result<(), IdpError> {
    match users.values().any(|(user, _)| user.name == name) {
        true => Err(IdpError::new(Code::AlreadyExists, format!("user already exists: {name}"))),
        false => Ok(()),
    }
}

const SCRIPT: &str = r#"
(async () => {
  const idp = new tailor.idp.Client("staff");
  await idp.createUser({ name: "bo@example.com" });
  const { users, totalCount } = await idp.users();
  return `${totalCount} users: ${users.map((user) => user.name).join(", ")}`;
})()
"#;

// A runtime is bound to one thread.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let staff = NamespaceName::new("staff")?;
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let router = Router::builder().directory(staff.clone(), Arc::new(StaffList::default()), settings).build();

    // The host and its scripts work on the same users, under the same rules.
    let host = CallContext::new(staff, Principal::Host);
    router.create_user(&host, CreateUser { name: "ana@example.com".to_owned(), ..Default::default() }).await?;

    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![extension::tailor_idp::init(Arc::new(router), Principal::Anonymous)],
        ..RuntimeOptions::default()
    });
    // Error stacks then show only frames of the script.
    extension::hide_extension_frames(&mut runtime);
    let promise = runtime.execute_script("file:///script.js", SCRIPT)?;
    let promise = runtime.resolve(promise);
    let result = runtime.with_event_loop_promise(promise, PollEventLoopOptions::default()).await?;

    scope!(scope, &mut runtime);
    let result = v8::Local::new(scope, result);
    println!("{}", serde_v8::from_v8::<String>(scope, result)?);
    Ok(())
}
