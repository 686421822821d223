//! The HTTP side of a service: connections, limits, retries, credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use backon::{ExponentialBuilder, Retryable};
use reqwest::{Client, RequestBuilder, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tower::retry::budget::{Budget, TpsBudget};
use url::Url;

use super::circuit::Circuit;
use super::failure::{Failure, Service};
use super::options::{InvalidRemote, RemoteOptions};
use super::request::{Answer, Authorization, Body, Request};
use super::token::TokenCache;
use crate::directory::CallContext;
use crate::http::{USER_AGENT, causes, is_loopback, retry_after};
use crate::model::{IdpError, internal};

/// The time to connect to a service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The delay before the first retry. Doubles with each further one, with jitter.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// The maximum delay before a retry, also where the service asks for a longer one.
const MAX_DELAY: Duration = Duration::from_secs(60);
/// The maximum size of an answer: a page of a hundred users with a lot of metadata.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The share of requests that may be retries, beside [`RETRIES_A_SECOND`]: a service in trouble gets little more than usual.
const RETRY_SHARE: f32 = 0.2;
const RETRIES_A_SECOND: u32 = 5;
/// The time that [`RETRY_SHARE`] looks back.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// The credentials of the host at a service.
pub(super) enum Credentials {
    /// A key that every request carries.
    Key(SecretString),
    /// An access token, from `request` to the token endpoint.
    Token { cache: TokenCache, request: Box<dyn Fn() -> Request + Send + Sync> },
}

/// The connection to a service. Requests run on a thread of its own: the connections are shared by isolates, and the event loop
/// of an isolate stops while it executes JavaScript.
pub(super) struct Backend {
    inner: Arc<Inner>,
    thread: Handle,
    /// Ends the thread, and all its requests, when it is dropped.
    _stop: oneshot::Sender<()>,
}

struct Inner {
    service: Service,
    client: Client,
    credentials: Credentials,
    slots: Semaphore,
    circuit: Circuit,
    budget: TpsBudget,
    retries: usize,
}

/// One call of the client: all its requests end at its deadline.
pub(super) struct Call<'a> {
    backend: &'a Backend,
    until: Instant,
    /// Whether a request was repeated that may have been executed.
    repeated: AtomicBool,
}

/// How far a request is.
#[derive(Default)]
struct Progress {
    /// Whether the service may have seen an attempt that is not over.
    in_flight: AtomicBool,
    /// Whether the request was repeated though it may have been executed.
    repeated: AtomicBool,
}

impl Backend {
    /// Prepares requests to the service `name`, whose address is `base` unless the options name another. Connects at the first
    /// request. `to_check` is what the host has to check if the service refuses the `credentials`.
    pub(super) fn new(
        name: &'static str,
        base: Url,
        credentials: Credentials,
        to_check: String,
        options: &RemoteOptions,
    ) -> Result<Self, InvalidRemote> {
        options.check()?;
        let base = options.base_url.clone().unwrap_or(base);
        let (thread, stop) = start_thread(name).map_err(|error| InvalidRemote::Client(error.to_string()))?;
        let inner = Inner {
            client: client(&base)?,
            service: Service {
                name,
                base,
                is_configured: options.base_url.is_some(),
                credentials: to_check,
                timeout: options.timeout,
            },
            credentials,
            slots: Semaphore::new(options.max_requests),
            circuit: Circuit::default(),
            budget: TpsBudget::new(BUDGET_WINDOW, RETRIES_A_SECOND, RETRY_SHARE),
            retries: options.retries,
        };
        Ok(Self { inner: Arc::new(inner), thread, _stop: stop })
    }

    /// The scopes of the access token, separated by spaces. `None` if there is no token yet, or the service does not name them.
    pub(super) async fn granted_scopes(&self) -> Option<String> {
        match &self.inner.credentials {
            Credentials::Token { cache, .. } => cache.scope().await,
            Credentials::Key(_) => None,
        }
    }

    /// Starts a call, which ends at the deadline of the context or after the timeout of the options, whichever is first.
    pub(super) fn call(&self, context: &CallContext) -> Call<'_> {
        let until = Instant::now() + self.inner.service.timeout;
        let until = context.deadline.map_or(until, |deadline| deadline.min(until));
        Call { backend: self, until, repeated: AtomicBool::default() }
    }
}

/// Starts a thread for requests. It ends when the sender is dropped.
fn start_thread(service: &'static str) -> std::io::Result<(Handle, oneshot::Sender<()>)> {
    // Of one thread: with a worker of the other kind of runtime, each request wakes the thread twice.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel());
    let run = move || {
        let _ = runtime.block_on(stopped);
        // Without waiting for name lookups.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(format!("idp {service}")).spawn(run)?;
    Ok((handle, stop))
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Service { name, base, .. } = &self.inner.service;
        f.debug_struct("Backend").field("service", name).field("base", &base.as_str()).finish_non_exhaustive()
    }
}

impl Call<'_> {
    /// Sends a request, and repeats it as far as it may be.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let Backend { inner, thread, _stop } = self.backend;
        let (inner, until, progress) = (Arc::clone(inner), self.until, Arc::<Progress>::default());
        let reported = Arc::clone(&progress);
        // A set, because dropping it ends the request.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(async move { inner.send(&request, until, &reported).await }, thread);
        let sent = tasks.join_next().await;
        self.repeated.fetch_or(progress.repeated.load(Ordering::Relaxed), Ordering::Relaxed);
        match sent {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => Err(Failure::Lost(error.to_string())),
            None => Err(Failure::Lost("the request was not started".to_owned())),
        }
    }

    /// Whether a request of the call was repeated that may have been executed at the first attempt: a user who is not there any
    /// more has been deleted by that.
    pub(super) fn was_repeated(&self) -> bool {
        self.repeated.load(Ordering::Relaxed)
    }

    /// The error of a failed read, or of a write that may be repeated.
    pub(super) fn failed(&self, failure: Failure) -> IdpError {
        failure.into_error(&self.backend.inner.service, None)
    }

    /// The error of a failed write. `unknown` says what is open if the outcome is not known, such as `the user was created`.
    pub(super) fn failed_write(&self, failure: Failure, unknown: &str) -> IdpError {
        failure.into_error(&self.backend.inner.service, Some(unknown))
    }

    /// The error for an answer that contradicts the service's documentation.
    pub(super) fn unexpected(&self, what: &str) -> IdpError {
        internal(format!("{}: {what}", self.backend.inner.service.name))
    }
}

impl Inner {
    async fn send(&self, request: &Request, until: Instant, progress: &Progress) -> Result<Answer, Failure> {
        let answer = timeout_at(until.into(), self.send_authorized(request, until, progress)).await;
        answer.unwrap_or_else(|_| {
            let sent = progress.in_flight.load(Ordering::Relaxed);
            if sent {
                self.circuit.failed();
            }
            Err(Failure::Deadline { sent })
        })
    }

    /// Sends the request with credentials. A token that the service refuses is replaced once.
    async fn send_authorized(&self, request: &Request, until: Instant, progress: &Progress) -> Result<Answer, Failure> {
        let (cache, new_token) = match (&request.authorization, &self.credentials) {
            (Authorization::Anonymous, _) => return self.repeat(request, None, until, progress).await,
            (Authorization::Bearer(key), _) | (Authorization::Default, Credentials::Key(key)) => {
                return self.repeat(request, Some(key), until, progress).await;
            }
            (Authorization::Default, Credentials::Token { cache, request }) => (cache, request),
        };
        let get = || cache.get(async || self.repeat(&new_token(), None, until, &Progress::default()).await?.json());
        let token = get().await?;
        match self.repeat(request, Some(&token), until, progress).await {
            Err(Failure::Refused { status: StatusCode::UNAUTHORIZED, .. }) => {
                cache.forget(&token).await;
                self.repeat(request, Some(&get().await?), until, progress).await
            }
            answer => answer,
        }
    }

    async fn repeat(
        &self,
        request: &Request,
        token: Option<&SecretString>,
        until: Instant,
        progress: &Progress,
    ) -> Result<Answer, Failure> {
        self.budget.deposit();
        let policy = ExponentialBuilder::default()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(MAX_DELAY)
            .with_max_times(self.retries)
            .with_jitter();
        (|| self.attempt(request, token, progress))
            .retry(policy)
            .sleep(tokio::time::sleep)
            .when(|failure: &Failure| failure.may_repeat(request.repeatable))
            .notify(|failure, _| {
                progress.repeated.fetch_or(failure.may_be_done(), Ordering::Relaxed);
            })
            .adjust(|failure, delay| {
                // At least what the service asks for; and not at all where that is too late.
                let delay = delay?.max(failure.wait().unwrap_or_default());
                let in_time = delay <= MAX_DELAY && Instant::now() + delay < until;
                (in_time && self.budget.withdraw()).then_some(delay)
            })
            .await
    }

    async fn attempt(
        &self,
        request: &Request,
        token: Option<&SecretString>,
        progress: &Progress,
    ) -> Result<Answer, Failure> {
        if self.circuit.is_open() {
            return Err(Failure::CircuitOpen);
        }
        let _slot = self.slots.acquire().await.map_err(|error| Failure::Lost(error.to_string()))?;
        progress.in_flight.store(true, Ordering::Relaxed);
        let answer = self.exchange(request, token).await;
        progress.in_flight.store(false, Ordering::Relaxed);
        match &answer {
            Err(Failure::Connect(_) | Failure::Lost(_)) => self.circuit.failed(),
            _ => self.circuit.answered(),
        }
        answer
    }

    async fn exchange(&self, request: &Request, token: Option<&SecretString>) -> Result<Answer, Failure> {
        let mut response = self.prepare(request, token).send().await.map_err(lost)?;
        let (status, wait) = (response.status(), wait(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Failure::Malformed(format!("more than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let secrets = request.secrets.iter().chain(token).cloned().collect();
        let answer = Answer { body, secrets };
        if status.is_success() { Ok(answer) } else { Err(Failure::Refused { status, body: answer.text(), wait }) }
    }

    fn prepare(&self, request: &Request, token: Option<&SecretString>) -> RequestBuilder {
        let mut url = self.service.base.clone();
        url.set_path(&format!("{}{}", self.service.base.path().trim_end_matches('/'), request.path));
        let mut builder = self.client.request(request.method.clone(), url);
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(token) = token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        match &request.body {
            Body::Empty => builder,
            Body::Json(body) => builder.json(body),
            Body::Form(body) => builder.form(body),
        }
    }
}

fn client(base: &Url) -> Result<Client, InvalidRemote> {
    let invalid = |error: &dyn std::error::Error| InvalidRemote::Client(causes(error));
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = Client::builder()
        .tls_backend_preconfigured(tls)
        // Credentials go to the configured address only.
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT);
    if is_loopback(base) {
        // The loopback address of a proxy is another host.
        client = client.no_proxy();
    }
    client.build().map_err(|error| invalid(&error.without_url()))
}

fn lost(error: reqwest::Error) -> Failure {
    let is_connect = error.is_connect();
    let reason = causes(&error.without_url());
    if is_connect { Failure::Connect(reason) } else { Failure::Lost(reason) }
}

/// The delay that a service asks for: `Retry-After`, else the seconds or the date of `X-RateLimit-Reset`.
fn wait(headers: &header::HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("retry-after").and_then(retry_after::parse).or_else(|| {
        let is_spent = text("x-ratelimit-remaining").is_none_or(|remaining| remaining.trim() == "0");
        text("x-ratelimit-reset").filter(|_| is_spent).and_then(reset)
    })
}

/// A number of seconds, the seconds since the epoch, or a date.
fn reset(value: &str) -> Option<Duration> {
    /// Larger numbers are points in time: 1980 in seconds since the epoch, and ten years as a delay.
    const EPOCH_SECONDS: Duration = Duration::from_secs(315_532_800);
    let wait = retry_after::parse(value)?;
    if wait < EPOCH_SECONDS {
        return Some(wait);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(wait.saturating_sub(now))
}
