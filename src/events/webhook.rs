//! A webhook: where events are posted to, and one request.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::signature::{SIGNATURE_HEADER, sign};
use super::{UserEvent, retry_after};
use crate::idp::Timestamp;

/// Of a receiver's answer so much goes into an error.
const MAX_BODY_SHOWN: usize = 200;

/// Bytes of a secret at the least: as hard to guess as a 128-bit key, if it is random.
const MIN_SECRET: usize = 16;

/// Secrets at the most: the new one, and the old one while receivers change over.
const MAX_SECRETS: usize = 2;

/// Requests at once at the most.
const MAX_CONCURRENCY: usize = 64;

/// Where events are posted to, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// Where to: `http` or `https`.
    pub url: Url,
    /// What requests are signed with: one secret, or two while the receiver changes over. Each has at least 16 bytes.
    pub secrets: Vec<SecretString>,
    /// Under which name the position is kept. Two webhooks need two names.
    pub consumer: String,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// Requests at once, each for another user: 1 to 64.
    pub concurrency: usize,
    /// Tries before an event is given up.
    pub max_attempts: u32,
    /// Tries that the receiver has refused (a redirect, or 4xx other than 408 and 429) before an event is given up.
    pub max_refusals: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl WebhookSettings {
    /// A webhook with the defaults: 10 s a request, 8 at once; waits from 1 s to 1 h; given up after 40 tries, which take
    /// over a day, or 5 refusals.
    pub fn new(url: Url, secret: SecretString) -> Self {
        Self {
            url,
            secrets: vec![secret],
            consumer: "webhook".to_owned(),
            timeout: Duration::from_secs(10),
            concurrency: 8,
            max_attempts: 40,
            max_refusals: 5,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60 * 60),
        }
    }

    /// Whether a worker takes them.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), InvalidWebhook> {
        if !["http", "https"].contains(&self.url.scheme()) {
            return Err(InvalidWebhook::Scheme(self.url.scheme().to_owned()));
        }
        if !(1..=MAX_SECRETS).contains(&self.secrets.len()) {
            return Err(InvalidWebhook::SecretCount(self.secrets.len()));
        }
        let length = self.secrets.iter().map(|secret| secret.expose_secret().len()).min().unwrap_or_default();
        if length < MIN_SECRET {
            return Err(InvalidWebhook::SecretLength(length));
        }
        if !(1..=MAX_CONCURRENCY).contains(&self.concurrency) {
            return Err(InvalidWebhook::Concurrency(self.concurrency));
        }
        if self.timeout.is_zero() {
            return Err(InvalidWebhook::Timeout);
        }
        Ok(())
    }
}

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// Not an address on the web.
    #[error("a webhook's URL starts with http or https: got {0}")]
    Scheme(String),
    /// None, or too many.
    #[error("a webhook has 1 to {MAX_SECRETS} secrets: got {0}")]
    SecretCount(usize),
    /// Easily guessed.
    #[error("a webhook's secret has at least {MIN_SECRET} bytes: got {0}")]
    SecretLength(usize),
    /// Not a number of requests.
    #[error("a webhook takes 1 to {MAX_CONCURRENCY} requests at once: got {0}")]
    Concurrency(usize),
    /// No time at all.
    #[error("a webhook's timeout must be longer than nothing")]
    Timeout,
    /// No client for the web can be had.
    #[error("cannot prepare requests: {0}")]
    Client(String),
}

/// Why an event was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// The receiver would not, rather than could not.
    pub(super) refused: bool,
    /// What the receiver asks to wait.
    pub(super) retry_after: Option<Duration>,
}

/// A receiver.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) settings: WebhookSettings,
    client: Client,
}

impl Webhook {
    pub(super) fn new(settings: WebhookSettings) -> Result<Self, InvalidWebhook> {
        settings.check()?;
        let mut client = Client::builder();
        if is_loopback(&settings.url) {
            // A proxy's own loopback is another.
            client = client.no_proxy();
        }
        let client = client
            // A signed body goes where the host said, and nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| InvalidWebhook::Client(causes(&error)))?;
        Ok(Self { settings, client })
    }

    /// Posts the event; done when the receiver has said 2xx.
    pub(super) async fn post(&self, event: &UserEvent) -> Result<(), Failure> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, self.request(event)).await.unwrap_or_else(|_| {
            Err(Failure { reason: format!("no answer within {limit:?}"), refused: false, retry_after: None })
        })
    }

    async fn request(&self, event: &UserEvent) -> Result<(), Failure> {
        let failed = |reason| Failure { reason, refused: false, retry_after: None };
        let body = serde_json::to_vec(event).map_err(|error| failed(error.to_string()))?;
        // Signed anew for each try: a receiver refuses an old signature.
        let signature = sign(&self.settings.secrets, &body, Timestamp::now());
        let request = self.client.post(self.settings.url.clone()).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/json").header(SIGNATURE_HEADER, signature);
        // The URL may hold a secret.
        let response = request.send().await.map_err(|error| failed(causes(&error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| retry_after::parse(value.to_str().ok()?));
        let cannot =
            status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let reason = match beginning(response).await {
            text if text.is_empty() => format!("the receiver answered {status}"),
            text => format!("the receiver answered {status}: {text}"),
        };
        Err(Failure { reason, refused: !cannot, retry_after })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The beginning of an answer, on one line.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    // A character has four bytes at the most.
    while bytes.len() < 4 * MAX_BODY_SHOWN {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let text: Vec<char> = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let shown: String = text.iter().take(MAX_BODY_SHOWN).collect();
    if text.len() > MAX_BODY_SHOWN { format!("{shown}…") } else { shown }
}

/// An error with all its causes: reqwest says the telling part in the last.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
