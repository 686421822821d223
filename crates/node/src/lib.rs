//! The identity provider of tailor-idp as an addon for Node.js. The npm package in `npm/` has the classes that users see; this is
//! what they call.
//!
//! Values cross as text: requests, answers and errors are JSON. An answer that is ready at once, as a read from memory is, is
//! returned as text; any other is a promise of text. Promises of calls are never rejected: an error is an answer, too.

mod call;
mod options;
mod provider;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use napi::bindgen_prelude::{Either, Object, ToNapiValue};
use napi::{Env, Error, Result};
use napi_derive::napi;
use tailor_idp_core::{CallContext, Code, CreateUser, IdentityProvider, IdpError, NamespaceName, Password, Principal};
use tokio::runtime::{Builder, Runtime};

use crate::call::{Call, UserJson, json_of};
use crate::provider::{Idp, Snapshot};

/// An answer, or the promise of one.
type Answer<'env> = Either<String, Object<'env>>;

/// An identity provider.
#[napi]
pub struct NativeIdp(Arc<Idp>);

/// The content of an identity provider at one moment.
#[napi]
pub struct NativeSnapshot(Snapshot);

/// Opens an identity provider with options in JSON.
#[napi]
pub fn open(env: &Env, options: String) -> Result<Object<'_>> {
    promise(env, async move {
        let idp = Idp::open(&options).await.map_err(|error| error.to_string())?;
        Ok(NativeIdp(Arc::new(idp)))
    })
}

/// The fault of a namespace name, if it has one.
#[napi]
pub fn namespace_fault(name: String) -> Option<String> {
    NamespaceName::new(&name).err().map(|error| error.to_string())
}

/// The fault of an invoker in JSON, if it has one.
#[napi]
pub fn invoker_fault(json: String) -> Option<String> {
    serde_json::from_str::<tailor_idp_core::Invoker>(&json).err().map(|error| {
        let text = error.to_string();
        // A position in the JSON says nothing to who passed an object.
        text.split_once(" at line ").map_or(text.clone(), |(text, _)| text.to_owned())
    })
}

/// The answer with an error of this code, or `null` if there is no such code.
#[napi]
pub fn failure(method: String, code: String, detail: String) -> Option<String> {
    let code = Code::from_name(&code)?;
    let message = IdpError::new(code, detail).message(&method);
    Some(serde_json::json!({ "error": { "code": code.name(), "message": message } }).to_string())
}

#[napi]
impl NativeIdp {
    /// Calls a method of a client: `{ method, input }` in JSON.
    #[napi]
    pub fn call<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        invoker: Option<String>,
        call: String,
    ) -> Result<Answer<'env>> {
        let call: Call = serde_json::from_str(&call).map_err(invalid)?;
        let context = self.0.context(namespace_name(&namespace)?, invoker).map_err(invalid)?;
        let router = self.0.router();
        answer(env, &self.0, async move { call.run(&router, &context).await })
    }

    /// Creates a user without the permission check.
    #[napi]
    pub fn seed<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        name: String,
        password: Option<String>,
        disabled: bool,
    ) -> Result<Answer<'env>> {
        let context = CallContext::new(namespace_name(&namespace)?, Principal::Host);
        let router = self.0.router();
        let user = CreateUser { name, password: password.map(Password::from), disabled };
        answer(env, &self.0, async move {
            json_of("createUser", router.create_user(&context, user).await.map(UserJson::from))
        })
    }

    /// The events of a namespace, oldest first.
    #[napi]
    pub fn events<'env>(&self, env: &'env Env, namespace: String) -> Result<Answer<'env>> {
        let idp = Arc::clone(&self.0);
        answer(env, &self.0, async move { json_of("events", idp.events(&namespace).await) })
    }

    /// The password-reset mails of a namespace, oldest first.
    #[napi]
    pub fn mails<'env>(&self, env: &'env Env, namespace: String) -> Result<Answer<'env>> {
        let idp = Arc::clone(&self.0);
        let name = namespace_name(&namespace)?;
        answer(env, &self.0, async move { json_of("mails", idp.mails(&name).await) })
    }

    /// Signs in with a password.
    #[napi]
    pub fn sign_in<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        name: String,
        password: String,
    ) -> Result<Answer<'env>> {
        let idp = Arc::clone(&self.0);
        answer(env, &self.0, async move { json_of("signIn", idp.sign_in(&namespace, &name, password.into()).await) })
    }

    /// Sets a password with the token of a mail.
    #[napi]
    pub fn reset_password<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        token: String,
        password: String,
    ) -> Result<Answer<'env>> {
        let idp = Arc::clone(&self.0);
        answer(env, &self.0, async move {
            json_of("resetPassword", idp.reset_password(&namespace, &token, password.into()).await)
        })
    }

    /// Enrols an MFA factor.
    #[napi]
    pub fn enroll_mfa<'env>(&self, env: &'env Env, namespace: String, user_id: String) -> Result<Answer<'env>> {
        let idp = Arc::clone(&self.0);
        answer(env, &self.0, async move { json_of("enrollMfa", idp.enroll_mfa(&namespace, &user_id).await) })
    }

    /// The names of the namespaces, sorted.
    #[napi]
    pub fn namespaces(&self) -> Vec<String> {
        self.0.router().namespaces().iter().map(ToString::to_string).collect()
    }

    /// The time, in milliseconds since 1970.
    #[napi]
    pub fn now(&self) -> i64 {
        self.0.now()
    }

    /// Moves the clock forward.
    #[napi]
    pub fn advance(&self, milliseconds: f64) {
        self.0.advance(Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(Duration::MAX));
    }

    /// Returns to the state after opening.
    #[napi]
    pub fn reset(&self) -> Result<()> {
        runtime()?.block_on(self.0.reset()).map_err(invalid)
    }

    /// The content at this moment.
    #[napi]
    pub fn snapshot(&self) -> Result<NativeSnapshot> {
        self.0.snapshot().map(NativeSnapshot).map_err(invalid)
    }

    /// Replaces the content.
    #[napi]
    pub fn restore(&self, snapshot: &NativeSnapshot) -> Result<()> {
        runtime()?.block_on(self.0.restore(&snapshot.0)).map_err(invalid)
    }
}

/// The runtime of all identity providers of the process. It is never shut down: Node.js exits without waiting for it.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let start = || {
        // Calls do little on these threads: stores and hashes have their own.
        let builder = &mut Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("tailor-idp").enable_all().build();
        runtime.map_err(|error| format!("threads cannot be started: {error}"))
    };
    RUNTIME.get_or_init(start).as_ref().map_err(Error::from_reason)
}

/// The answer if it is ready at once, or soon; else a promise of it.
fn answer<'env>(
    env: &'env Env,
    idp: &Idp,
    work: impl Future<Output = String> + Send + 'static,
) -> Result<Answer<'env>> {
    let runtime = runtime()?;
    let mut work = Box::pin(work);
    // A panic must not unwind into Node.js.
    let ready = catch_unwind(AssertUnwindSafe(|| {
        if idp.is_quick() {
            return Poll::Ready(runtime.block_on(work.as_mut()));
        }
        let _entered = runtime.enter();
        work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }));
    match ready {
        Ok(Poll::Ready(answer)) => Ok(Either::A(answer)),
        Ok(Poll::Pending) => promise(env, async move { Ok(work.await) }).map(Either::B),
        Err(_) => Err(Error::from_reason("the identity provider panicked")),
    }
}

/// A promise of the value. An error rejects it with this text.
fn promise<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    work: impl Future<Output = std::result::Result<T, String>> + Send + 'static,
) -> Result<Object<'env>> {
    let runtime = runtime()?;
    let (deferred, promise) = env.create_deferred()?;
    let work = runtime.spawn(work);
    runtime.spawn(async move {
        match work.await {
            Ok(Ok(value)) => deferred.resolve(move |_| Ok(value)),
            Ok(Err(text)) => deferred.reject(Error::from_reason(text)),
            Err(panicked) => deferred.reject(Error::from_reason(format!("the identity provider failed: {panicked}"))),
        }
    });
    Ok(promise)
}

fn namespace_name(name: &str) -> Result<NamespaceName> {
    NamespaceName::new(name).map_err(invalid)
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}
