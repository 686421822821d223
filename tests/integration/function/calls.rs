//! What an identity provider receives from a script, and what the script receives from it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp::function::{FunctionRuntime, Invocation, Isolation, Limits};
use tailor_idp::idp::{
    CallContext, CreateUser, IdentityProvider, IdpError, ListUsers, SendPasswordResetEmail, Timestamp, UnenrollMfa,
    UpdateUser, User, UserKey, UserPage,
};
use tokio::sync::Semaphore;

use super::script;

/// Returns the first user by id, the second by name, and both in listings. Records the contexts of its reads. Deletions wait for a
/// permit of `gate`.
struct Stub {
    users: [User; 2],
    contexts: Mutex<Vec<CallContext>>,
    deletions: Mutex<String>,
    gate: Semaphore,
}

impl Stub {
    fn new() -> Arc<Self> {
        let full = User {
            id: "1".to_owned(),
            name: "Žofie".to_owned(),
            disabled: true,
            created_at: Some(Timestamp::from_unix_millis(0)),
            mfa_enrolled: true,
            mfa_factor_ids: vec!["a".to_owned(), "b".to_owned()],
        };
        let sparse = User {
            id: "2".to_owned(),
            name: "bo".to_owned(),
            disabled: false,
            created_at: None,
            mfa_enrolled: false,
            mfa_factor_ids: Vec::new(),
        };
        let gate = Semaphore::new(0);
        Arc::new(Self { users: [full, sparse], contexts: Mutex::default(), deletions: Mutex::default(), gate })
    }

    /// The ids of the deletions that have started, in order. Waits until as many have.
    async fn deleted(&self, count: usize) -> String {
        loop {
            let deletions = self.deletions.lock().unwrap().clone();
            if deletions.len() >= count {
                return deletions;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[async_trait]
impl IdentityProvider for Stub {
    async fn users(&self, _: &CallContext, _: ListUsers) -> Result<UserPage, IdpError> {
        Ok(UserPage { users: self.users.to_vec(), next_page_token: None, total_count: 2 })
    }

    async fn user(&self, context: &CallContext, key: UserKey<'_>) -> Result<User, IdpError> {
        self.contexts.lock().unwrap().push(context.clone());
        Ok(match key {
            UserKey::Id(_) => self.users[0].clone(),
            UserKey::Name(_) => self.users[1].clone(),
        })
    }

    async fn create_user(&self, _: &CallContext, _: CreateUser) -> Result<User, IdpError> {
        unreachable!("no test calls it")
    }

    async fn update_user(&self, _: &CallContext, _: UpdateUser) -> Result<User, IdpError> {
        unreachable!("no test calls it")
    }

    async fn delete_user(&self, _: &CallContext, id: &str) -> Result<(), IdpError> {
        self.deletions.lock().unwrap().push_str(id);
        self.gate.acquire().await.unwrap().forget();
        Ok(())
    }

    async fn send_password_reset_email(&self, _: &CallContext, _: SendPasswordResetEmail) -> Result<(), IdpError> {
        unreachable!("no test calls it")
    }

    async fn unenroll_mfa(&self, _: &CallContext, _: UnenrollMfa) -> Result<(), IdpError> {
        unreachable!("no test calls it")
    }
}

/// The properties that `tailor.d.ts` declares for an interface: their names, and whether they are optional.
fn declared(interface: &str) -> Vec<(&'static str, bool)> {
    let (_, body) = tailor_idp::TYPES.split_once(&format!("  interface {interface} {{\n")).unwrap();
    let (body, _) = body.split_once("\n  }").unwrap();
    let properties = body.lines().map(str::trim).filter(|line| !line.starts_with(['/', '*']));
    let property = |line: &'static str| {
        let (name, _) = line.split_once(':').unwrap();
        (name.trim_end_matches('?'), name.ends_with('?'))
    };
    properties.map(property).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_have_the_declared_properties_and_setters_do_not_see_them() {
    let runtime = FunctionRuntime::builder(Stub::new()).build();
    let script = script(
        r#"export default async (fields) => {
             const client = new tailor.idp.Client("main");
             const seen = [];
             for (const field of fields) {
               Object.defineProperty(Object.prototype, field, { set: () => seen.push(field), configurable: true });
             }
             const full = await client.user("1");
             const sparse = await client.userByName("bo");
             const page = await client.users();
             for (const field of fields) delete Object.prototype[field];
             return { full, sparse, page, seen };
           };"#,
    );
    let names: Vec<_> = declared("User").into_iter().map(|(name, _)| name).collect();
    let result = runtime.run(&script, Invocation::new(json!(names))).await.result.unwrap();
    let full = json!({
        "id": "1",
        "name": "Žofie",
        "disabled": true,
        "createdAt": "1970-01-01T00:00:00.000Z",
        "mfaEnrolled": true,
        "mfaFactorIds": ["a", "b"],
    });
    let sparse = json!({ "id": "2", "name": "bo", "disabled": false, "mfaEnrolled": false, "mfaFactorIds": [] });
    let page = json!({ "users": [full, sparse], "nextPageToken": null, "totalCount": 2 });
    assert_eq!(result, json!({ "full": full, "sparse": sparse, "page": page, "seen": [] }));

    let properties = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(properties(&result["full"]), names);
    let required: Vec<_> = declared("User").into_iter().filter(|(_, optional)| !optional).collect();
    assert_eq!(properties(&result["sparse"]), required.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let page: Vec<_> = declared("ListUsersResponse").into_iter().map(|(name, _)| name).collect();
    assert_eq!(properties(&result["page"]), page);
}

#[tokio::test]
async fn calls_have_the_earliest_deadline_of_their_execution() {
    let stub = Stub::new();
    let time = Duration::from_secs(60);
    let runtime = FunctionRuntime::builder(Arc::clone(&stub) as Arc<dyn IdentityProvider>)
        .limits(Limits { time, ..Limits::default() })
        .isolation(Isolation::reuse())
        .build();
    let script = script(r#"export default async () => { await new tailor.idp.Client("main").user("1"); };"#);
    let run = async |deadline| {
        let invocation = Invocation::new(Value::Null).deadline(deadline);
        runtime.run(&script, invocation).await.result.unwrap();
        stub.contexts.lock().unwrap().pop().unwrap().deadline.unwrap()
    };
    let before = Instant::now();
    let in_half_a_minute = before + time / 2;
    assert_eq!(run(in_half_a_minute).await, in_half_a_minute);
    // The time limit is the earlier one. It starts with the execution, which reuses the isolate.
    let deadline = run(before + time * 10).await;
    assert!((before + time..=Instant::now() + time).contains(&deadline));
}

#[tokio::test]
async fn calls_have_the_id_of_their_execution_which_is_unique_in_the_process() {
    let stub = Stub::new();
    let script = script(
        r#"export default async () => {
             const client = new tailor.idp.Client("main");
             await client.user("1");
             await client.userByName("bo");
           };"#,
    );
    let mut ids = HashSet::new();
    for _runtime in 0..2 {
        let idp = Arc::clone(&stub) as Arc<dyn IdentityProvider>;
        let runtime = FunctionRuntime::builder(idp).isolation(Isolation::reuse()).build();
        for _execution in 0..2 {
            runtime.run(&script, Invocation::new(Value::Null)).await.result.unwrap();
            let contexts = std::mem::take(&mut *stub.contexts.lock().unwrap());
            let [first, second] = &contexts[..] else { panic!("{contexts:?}") };
            assert_eq!(first.execution_id, second.execution_id);
            assert!(ids.insert(first.execution_id.clone().unwrap()), "{ids:?} has {first:?}");
        }
    }
}

/// Deletes these users without awaiting each.
const DELETE_ALL: &str = r#"export default async ({ ids, wait }) => {
    const client = new tailor.idp.Client("main");
    const all = ids.map((id) => client.deleteUser(id));
    return wait ? Promise.all(all) : null;
};"#;

fn delete_all(wait: bool) -> Invocation {
    let limits = Limits { calls_in_flight: 2, ..Limits::default() };
    Invocation::new(json!({ "ids": ["a", "b", "c", "d", "e"], "wait": wait })).limits(limits)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_those_that_run_at_once_wait_for_their_turn_in_order() {
    let stub = Stub::new();
    let runtime = FunctionRuntime::builder(Arc::clone(&stub) as Arc<dyn IdentityProvider>).build();
    let run = tokio::spawn(async move { runtime.run(&script(DELETE_ALL), delete_all(true)).await });
    for (answers, deleted) in [(0, "ab"), (1, "abc"), (1, "abcd"), (1, "abcde")] {
        stub.gate.add_permits(answers);
        assert_eq!(stub.deleted(deleted.len()).await, deleted);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(stub.deleted(0).await, deleted);
    }
    stub.gate.add_permits(2);
    assert_eq!(run.await.unwrap().result.unwrap(), json!([true, true, true, true, true]));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_calls_are_cancelled_with_the_execution() {
    for isolation in [Isolation::Fresh, Isolation::reuse()] {
        // The handler returns.
        let stub = Stub::new();
        let idp = Arc::clone(&stub) as Arc<dyn IdentityProvider>;
        let runtime = FunctionRuntime::builder(idp).isolation(isolation).build();
        let execution = runtime.run(&script(DELETE_ALL), delete_all(false)).await;
        assert!(execution.logs[0].text.starts_with("5 calls of tailor.idp were still under way"));
        // The caller gives up.
        let run = tokio::spawn({
            let runtime = runtime.clone();
            async move { runtime.run(&script(DELETE_ALL), delete_all(true)).await }
        });
        assert_eq!(stub.deleted(4).await, "abab");
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        stub.gate.add_permits(100);
        assert!(runtime.shutdown(Duration::from_secs(10)).await);
        assert_eq!(stub.deleted(0).await, "abab");
    }
}
