//! One identity provider: its namespaces, its clock, and the mails that it delivered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use secrecy::ExposeSecret;
use serde::Serialize;
use tailor_idp_core::events::{EventError, Events, UserEvent};
use tailor_idp_core::mail::reset_path;
use tailor_idp_core::store::{PostgresDatabase, SqliteDatabase, SqliteSnapshot, StoreError};
use tailor_idp_core::{
    CallContext, Clock, Code, Enrollment, HashCost, IdpError, Invoker, MfaKey, MfaState, NamespaceName, Password,
    Principal, ResetPasswordError, ResetToken, Router, RouterBuilder, SignIn, Timestamp,
};
use totp_rs::Totp;

use crate::call::UserJson;
use crate::options::{InvalidOptions, Options, PasswordHashCost, Plan};
use tailor_idp_settings::{MFA_KEY_VERSION, PostgresError, RemoteError, StoreLocation};

/// The maximum number of mails that are returned: far more than a test sends.
const MAX_MAILS: u32 = 100_000;

/// The number of events that are read at a time.
const EVENTS_PAGE: u32 = 1_000;

/// An identity provider that cannot be opened or reset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    #[error("namespace {0}: {1}")]
    Store(NamespaceName, StoreError),
    #[error("namespace {0}: {1}")]
    Postgres(NamespaceName, PostgresError),
    #[error("namespace {0}: {1}")]
    Remote(NamespaceName, RemoteError),
    #[error("the store in memory: {0}")]
    Memory(#[from] StoreError),
    #[error("a random key cannot be generated: {0}")]
    Random(#[from] std::io::Error),
    #[error(
        "only an identity provider whose users are all in memory can be reset, copied and restored: leave out `store`, or write the namespaces' `store = \"memory\"`"
    )]
    NotInMemory,
}

/// The system's clock, ahead by a time that tests set. In milliseconds.
#[derive(Default)]
struct ShiftedClock(AtomicI64);

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(Timestamp::now().unix_millis().saturating_add(self.0.load(Ordering::Relaxed)))
    }
}

/// What a reset replaces.
struct State {
    router: Router,
    memory: Option<SqliteDatabase>,
    /// The tokens of delivered mails, by namespace and id of the mail.
    tokens: Mutex<HashMap<(NamespaceName, i64), String>>,
}

/// An identity provider.
pub(crate) struct Idp {
    plan: Plan,
    /// Whether every call takes microseconds: users in memory, with cheap hashes.
    is_quick: bool,
    mfa_key: MfaKey,
    clock: Arc<ShiftedClock>,
    state: RwLock<Arc<State>>,
    /// The content of the store after opening, if it is in memory.
    pristine: Option<Snapshot>,
    /// The principal of the last call: most calls are made by the same one.
    principal: Mutex<Option<(String, Principal)>>,
}

/// The content of an identity provider at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot {
    content: SqliteSnapshot,
    clock: i64,
    tokens: HashMap<(NamespaceName, i64), String>,
}

/// A password-reset mail, for tests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MailJson {
    id: i64,
    to: String,
    user_id: String,
    from_name: String,
    subject: String,
    redirect_uri: String,
    state: &'static str,
    queued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// The outcome of a sign-in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInJson {
    user: UserJson,
    mfa: &'static str,
}

/// A new factor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FactorJson {
    mfa_factor_id: String,
    secret: String,
}

impl Idp {
    pub(crate) async fn open(options: &str) -> Result<Self, OpenError> {
        let options = Options::parse(options)?;
        let password_hash = options.password_hash;
        let plan = options.plan()?;
        let cheap = match password_hash {
            Some(cost) => cost == PasswordHashCost::Fast,
            // Hashes that are gone with the process protect nobody.
            None => plan.is_in_memory(),
        };
        let hash_cost = if cheap { HashCost::danger_cheap_for_tests() } else { HashCost::default() };
        let mfa_key = match &plan.mfa_key {
            Some(key) => key.clone(),
            None => MfaKey::generate(MFA_KEY_VERSION)?,
        };
        let clock = Arc::new(ShiftedClock::default());
        let memory = match plan.namespaces.iter().any(|source| source.store == StoreLocation::Memory) {
            true => Some(SqliteDatabase::in_memory_with_clock(Arc::clone(&clock) as Arc<dyn Clock>)?),
            false => None,
        };
        let builder = Router::builder().hash_cost(hash_cost).mfa_key(mfa_key.clone());
        let router = open_router(builder, &plan, memory.as_ref(), &clock).await?;
        let pristine = match &memory {
            Some(memory) if plan.is_in_memory() => {
                Some(Snapshot { content: memory.snapshot()?, clock: 0, tokens: HashMap::new() })
            }
            _ => None,
        };
        let state = RwLock::new(Arc::new(State { router, memory, tokens: Mutex::default() }));
        let is_quick = cheap && plan.is_in_memory();
        Ok(Self { plan, is_quick, mfa_key, clock, state, pristine, principal: Mutex::default() })
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read())
    }

    /// Whether every call takes microseconds, so that waiting for it is cheaper than a promise.
    pub(crate) fn is_quick(&self) -> bool {
        self.is_quick
    }

    pub(crate) fn router(&self) -> Router {
        self.state.read().router.clone()
    }

    /// The context of a call on behalf of an invoker, in JSON; `None` is an anonymous one.
    pub(crate) fn context(
        &self,
        namespace: NamespaceName,
        invoker: Option<String>,
    ) -> Result<CallContext, serde_json::Error> {
        let Some(json) = invoker else { return Ok(CallContext::new(namespace, Principal::Anonymous)) };
        let mut last = self.principal.lock();
        let principal = match &*last {
            Some((known, principal)) if *known == json => principal.clone(),
            _ => {
                let principal = Principal::Invoker(Arc::new(serde_json::from_str::<Invoker>(&json)?));
                last.insert((json, principal)).1.clone()
            }
        };
        Ok(CallContext::new(namespace, principal))
    }

    /// The time of the identity provider, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().unix_millis()
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let _ = self.clock.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_add(millis)));
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot, OpenError> {
        let state = self.state();
        match &state.memory {
            Some(memory) if self.pristine.is_some() => Ok(Snapshot {
                content: memory.snapshot()?,
                clock: self.clock.0.load(Ordering::Relaxed),
                tokens: state.tokens.lock().clone(),
            }),
            _ => Err(OpenError::NotInMemory),
        }
    }

    /// Returns to the state after opening.
    pub(crate) async fn reset(&self) -> Result<(), OpenError> {
        self.restore(self.pristine.as_ref().ok_or(OpenError::NotInMemory)?).await
    }

    /// Replaces all users, mails and events. Calls in progress end on the store that is replaced.
    pub(crate) async fn restore(&self, snapshot: &Snapshot) -> Result<(), OpenError> {
        if self.pristine.is_none() {
            return Err(OpenError::NotInMemory);
        }
        let memory = SqliteDatabase::in_memory_from(&snapshot.content, Arc::clone(&self.clock) as Arc<dyn Clock>)?;
        let builder = Router::builder().hashing_of(&self.router()).mfa_key(self.mfa_key.clone());
        let router = open_router(builder, &self.plan, Some(&memory), &self.clock).await?;
        let tokens = Mutex::new(snapshot.tokens.clone());
        let state = Arc::new(State { router, memory: Some(memory), tokens });
        self.clock.0.store(snapshot.clock, Ordering::Relaxed);
        let replaced = std::mem::replace(&mut *self.state.write(), state);
        // Waits for a thread to end.
        tokio::task::spawn_blocking(move || drop(replaced));
        Ok(())
    }

    pub(crate) async fn events(&self, namespace: &str) -> Result<Vec<UserEvent>, IdpError> {
        let failed = |error: EventError| IdpError::new(Code::Internal, error.to_string()).with_source(error);
        let router = self.router();
        router.local(namespace)?;
        let log = Events::new(&router, namespace).map_err(failed)?;
        let mut events: Vec<UserEvent> = Vec::new();
        loop {
            let after = events.last().map(|event| event.id.clone());
            let page = log.list(after.as_deref(), EVENTS_PAGE).await.map_err(failed)?;
            let is_last = page.len() < EVENTS_PAGE as usize;
            events.extend(page);
            if is_last {
                return Ok(events);
            }
        }
    }

    /// The mails of a namespace, oldest first. In memory, those that are due are delivered first: this is their recipient.
    pub(crate) async fn mails(&self, namespace: &NamespaceName) -> Result<Vec<MailJson>, IdpError> {
        let state = self.state();
        let local = state.router.local(namespace.as_str())?;
        if self.pristine.is_some() {
            while let Some(mail) = local.claim_reset_mail().await? {
                if local.settle_reset_mail(&mail, Ok(())).await? {
                    state.tokens.lock().insert((namespace.clone(), mail.id), mail.token.expose().to_owned());
                }
            }
        }
        let settings = local.settings();
        let base_url = self.plan.base_url.as_ref();
        let mails = local.reset_mails(None, MAX_MAILS).await?;
        let tokens = state.tokens.lock();
        Ok(mails
            .into_iter()
            .rev()
            .map(|record| {
                let token = tokens.get(&(namespace.clone(), record.id)).cloned();
                let link = token.as_ref().zip(base_url).map(|(token, url)| {
                    let origin = url.origin().ascii_serialization();
                    format!("{origin}{}?token={token}", reset_path(url, namespace.as_str()))
                });
                MailJson {
                    id: record.id,
                    to: record.to,
                    user_id: record.mail.user_id,
                    from_name: settings.mail_from_name(record.mail.from_name.as_deref()).to_owned(),
                    subject: settings.password_reset_subject(record.mail.subject.as_deref()).to_owned(),
                    redirect_uri: record.mail.redirect_uri,
                    state: record.state.name(),
                    queued_at: record.queued_at.to_string(),
                    link,
                    token,
                }
            })
            .collect())
    }

    pub(crate) async fn sign_in(
        &self,
        namespace: &str,
        name: &str,
        password: Password,
    ) -> Result<Option<SignInJson>, IdpError> {
        let signed_in = self.router().verify_password(namespace, name, password).await?;
        Ok(signed_in.map(|SignIn { user, mfa, .. }| SignInJson {
            user: user.into(),
            mfa: match mfa {
                MfaState::CodeDue => "code-due",
                MfaState::EnrollmentDue => "enrollment-due",
                _ => "not-due",
            },
        }))
    }

    pub(crate) async fn reset_password(
        &self,
        namespace: &str,
        token: &str,
        password: Password,
    ) -> Result<Option<String>, IdpError> {
        let invalid = || IdpError::invalid_argument(ResetPasswordError::InvalidToken.to_string());
        let token = ResetToken::parse(token).ok_or_else(invalid)?;
        match self.router().reset_password(namespace, &token, password).await {
            Ok(reset) => Ok(reset.redirect_uri),
            Err(ResetPasswordError::InvalidToken) => Err(invalid()),
            Err(ResetPasswordError::Password(error) | ResetPasswordError::Failed(error)) => Err(error),
        }
    }

    /// Enrols a factor and confirms it at once.
    pub(crate) async fn enroll_mfa(&self, namespace: &str, user_id: &str) -> Result<FactorJson, IdpError> {
        let router = self.router();
        let Enrollment { factor_id, secret, otpauth_uri, .. } = router.begin_mfa_enrollment(namespace, user_id).await?;
        let internal = |text: String| IdpError::new(Code::Internal, text);
        let app = Totp::from_url(otpauth_uri.expose_secret()).map_err(|error| internal(error.to_string()))?;
        let code = app.generate(self.now().unsigned_abs() / 1000).to_string();
        match router.confirm_mfa_enrollment(namespace, user_id, &factor_id, &code).await? {
            true => Ok(FactorJson { mfa_factor_id: factor_id, secret: secret.expose_secret().to_owned() }),
            false => Err(internal("the new factor does not take its own code".to_owned())),
        }
    }
}

/// Opens the namespaces. Those in memory share one database.
async fn open_router(
    mut router: RouterBuilder,
    plan: &Plan,
    memory: Option<&SqliteDatabase>,
    clock: &Arc<ShiftedClock>,
) -> Result<Router, OpenError> {
    for source in &plan.namespaces {
        let (name, settings) = (source.name.clone(), source.settings.clone());
        let failed = |error| OpenError::Store(source.name.clone(), error);
        router = match (&source.store, memory) {
            (StoreLocation::Memory, Some(memory)) => {
                router.namespace(name, Arc::new(memory.namespace(&source.name).await.map_err(failed)?), settings)
            }
            (StoreLocation::Memory, None) => return Err(OpenError::NotInMemory),
            (StoreLocation::Sqlite(path), _) => {
                let clock = Arc::clone(clock) as Arc<dyn Clock>;
                let database = SqliteDatabase::open_with_clock(path, clock).map_err(failed)?;
                router.namespace(name, Arc::new(database.namespace(&source.name).await.map_err(failed)?), settings)
            }
            (StoreLocation::Postgres(entry), _) => {
                let options = entry.options().map_err(|error| OpenError::Postgres(source.name.clone(), error))?;
                let database = PostgresDatabase::open(options).await.map_err(failed)?;
                router.namespace(name, Arc::new(database.namespace(&source.name).await.map_err(failed)?), settings)
            }
            (StoreLocation::Remote(remote), _) => {
                let directory = remote.open().map_err(|error| OpenError::Remote(source.name.clone(), error))?;
                router.directory(name, directory, settings)
            }
        };
    }
    Ok(router.build())
}
