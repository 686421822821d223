//! Webhooks: settings, and one request.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::UserEvent;
use super::signature::{SIGNATURE_HEADER, sign};
use crate::http::{self, USER_AGENT, causes, is_loopback, retry_after};
use crate::jobs::{Failure, FailureKind, RetryPolicy};
use crate::model::Timestamp;

/// The maximum length of a receiver's answer in an error, in characters.
const MAX_BODY_SHOWN: usize = 200;

/// The minimum length of a secret in bytes: random, it is as hard to guess as a 128-bit key.
const MIN_SECRET: usize = 16;

/// The maximum number of secrets: the new one, and the old one during rotation.
const MAX_SECRETS: usize = 2;

/// The maximum number of concurrent requests.
const MAX_CONCURRENCY: usize = 64;

/// Settings of a webhook.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// The URL that events are posted to: `http` or `https`.
    pub url: Url,
    /// The secrets that sign requests: one, or two during rotation. Each has at least 16 bytes.
    pub secrets: Vec<SecretString>,
    /// The name of the consumer, under which the position is kept. Two webhooks need two names.
    pub consumer: String,
    /// The timeout of a request, including its answer.
    pub timeout: Duration,
    /// The number of concurrent requests, each for another user: 1 to 64.
    pub concurrency: usize,
    /// The number of attempts after which an event is given up.
    pub max_attempts: u32,
    /// The number of refusals (redirects, and 4xx other than 408 and 429) after which an event is given up.
    pub max_refusals: u32,
    /// The delay after the first failure. Doubles with each further failure.
    pub first_delay: Duration,
    /// The maximum delay.
    pub max_delay: Duration,
}

impl WebhookSettings {
    /// A webhook with the defaults: 10 s per request, 8 concurrent requests, delays from 1 s to 1 h, given up after 40 attempts,
    /// which take over a day, or 5 refusals.
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

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhook`].
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

impl WebhookSettings {
    pub(super) const fn retries(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: self.max_attempts,
            max_refusals: self.max_refusals,
            first_delay: self.first_delay,
            max_delay: self.max_delay,
        }
    }
}

/// Invalid settings of a webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// The URL is neither `http` nor `https`.
    #[error("a webhook's URL starts with http or https: got {0}")]
    Scheme(String),
    /// No secret, or too many.
    #[error("a webhook has 1 to {MAX_SECRETS} secrets: got {0}")]
    SecretCount(usize),
    /// A secret is too short.
    #[error("a webhook's secret has at least {MIN_SECRET} bytes: got {0}")]
    SecretLength(usize),
    /// The number of concurrent requests is out of range.
    #[error("a webhook takes 1 to {MAX_CONCURRENCY} requests at once: got {0}")]
    Concurrency(usize),
    /// The timeout is zero.
    #[error("a webhook's timeout must be longer than nothing")]
    Timeout,
    /// The HTTP client cannot be created.
    #[error("cannot prepare requests: {0}")]
    Client(String),
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
            // The loopback address of a proxy is another host.
            client = client.no_proxy();
        }
        let client = client
            // A signed body is sent to the configured URL only.
            .redirect(redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build();
        let client = client.map_err(|error| InvalidWebhook::Client(causes(&error)))?;
        Ok(Self { settings, client })
    }

    /// Posts the event. Succeeds when the receiver answers 2xx.
    pub(super) async fn post(&self, event: &UserEvent) -> Result<(), Failure> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, self.request(event))
            .await
            .unwrap_or_else(|_| Err(temporary(format!("no answer within {limit:?}"))))
    }

    async fn request(&self, event: &UserEvent) -> Result<(), Failure> {
        let body = serde_json::to_vec(event).map_err(|error| temporary(error.to_string()))?;
        // Signed for each attempt: receivers reject old signatures.
        let signature = sign(&self.settings.secrets, &body, Timestamp::now());
        let request = self.client.post(self.settings.url.clone()).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/json").header(SIGNATURE_HEADER, signature);
        // The URL may contain a secret.
        let response = request.send().await.map_err(|error| temporary(causes(&error.without_url())))?;
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
        let kind = if cannot { FailureKind::Temporary } else { FailureKind::Refused };
        Err(Failure { reason, kind, retry_after })
    }
}

fn temporary(reason: String) -> Failure {
    Failure { reason, kind: FailureKind::Temporary, retry_after: None }
}

/// The beginning of an answer, in one line.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    // A character has at most four bytes.
    while bytes.len() < 4 * MAX_BODY_SHOWN {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    http::beginning(&bytes, MAX_BODY_SHOWN)
}
