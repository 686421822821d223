//! Access tokens: cached until shortly before they end.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::failure::Failure;

/// The time before its end at which a token is no longer used: longer than a request takes, and than clocks differ.
const MARGIN: Duration = Duration::from_secs(60);

/// The lifetime of a token whose answer names none. RFC 6749 leaves it to the service's documentation.
const DEFAULT_LIFETIME: u64 = 300;

/// The answer of a token endpoint (RFC 6749, section 5.1).
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    access_token: SecretString,
    expires_in: Option<u64>,
    /// The scopes that were granted, separated by spaces.
    scope: Option<String>,
}

/// An access token of the client-credentials grant. One request for a new one is in flight at a time.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Option<Token>>);

#[derive(Debug)]
struct Token {
    secret: SecretString,
    until: Instant,
    scope: Option<String>,
}

impl TokenCache {
    /// The token in the cache, else one from `request`.
    pub(super) async fn get(
        &self,
        request: impl AsyncFnOnce() -> Result<TokenAnswer, Failure>,
    ) -> Result<SecretString, Failure> {
        let mut token = self.0.lock().await;
        if let Some(token) = token.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.secret.clone());
        }
        let TokenAnswer { access_token, expires_in, scope } =
            request().await.map_err(|failure| Failure::Token(Box::new(failure)))?;
        let lifetime = Duration::from_secs(expires_in.unwrap_or(DEFAULT_LIFETIME));
        // Of a short lifetime, a tenth: the token is used at least once.
        let until = Instant::now() + lifetime.saturating_sub(MARGIN.min(lifetime / 10));
        *token = Some(Token { secret: access_token.clone(), until, scope });
        Ok(access_token)
    }

    /// The scopes of the token in the cache, if the service named them.
    pub(super) async fn scope(&self) -> Option<String> {
        self.0.lock().await.as_ref()?.scope.clone()
    }

    /// Removes a token that the service refused, unless it was replaced meanwhile.
    pub(super) async fn forget(&self, refused: &SecretString) {
        let mut token = self.0.lock().await;
        if token.as_ref().is_some_and(|token| token.secret.expose_secret() == refused.expose_secret()) {
            *token = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::yield_now;

    use super::*;

    fn answer(token: &str, expires_in: u64) -> TokenAnswer {
        TokenAnswer { access_token: token.into(), expires_in: Some(expires_in), scope: None }
    }

    #[tokio::test]
    async fn token_is_requested_once_by_concurrent_calls_and_kept() {
        let (cache, requests) = (TokenCache::default(), Cell::new(0));
        let get = || {
            cache.get(async || {
                requests.set(requests.get() + 1);
                yield_now().await;
                Ok(answer(&format!("token {}", requests.get()), 3600))
            })
        };
        let (one, two, three) = tokio::join!(get(), get(), get());
        assert_eq!(requests.get(), 1);
        let token = one.unwrap();
        assert_eq!(token.expose_secret(), "token 1");
        assert_eq!((two.unwrap().expose_secret(), three.unwrap().expose_secret()), ("token 1", "token 1"));

        cache.forget(&"another".into()).await;
        assert_eq!(get().await.unwrap().expose_secret(), "token 1");
        cache.forget(&token).await;
        assert_eq!(get().await.unwrap().expose_secret(), "token 2");
    }

    #[tokio::test]
    async fn token_that_has_ended_is_requested_again() {
        let cache = TokenCache::default();
        cache.get(async || Ok(answer("old", 0))).await.unwrap();
        assert_eq!(cache.get(async || Ok(answer("new", 60))).await.unwrap().expose_secret(), "new");
        assert_eq!(cache.get(async || Ok(answer("newer", 60))).await.unwrap().expose_secret(), "new");
    }
}
