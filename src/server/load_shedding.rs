//! Load shedding: requests above a limit are answered with 503 at once.
//!
//! There is no limit per client address: behind a proxy all clients share one, and a token of 256 bits cannot be guessed
//! at any request rate. A request without a valid token costs one index lookup.

use axum::BoxError;
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;

/// Maximum number of requests in progress, per [`Server`](super::Server). Servers in one process do not share it. Hashing a new
/// password takes 19 MiB; everything else is cheap. Requests whose body is awaited do not count.
pub(super) const MAX_REQUESTS: usize = 64;
const RETRY_AFTER_SECONDS: &str = "5";

/// Limits the requests that all routes of the router and its clones handle at once. Each call creates a new limit.
pub(super) fn shed_load<S: Clone + Send + Sync + 'static>(router: Router<S>, max_requests: usize) -> Router<S> {
    // `Router::layer` wraps each route by itself: only the global limit has one semaphore for all of them.
    router.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(overloaded))
            .load_shed()
            .layer(GlobalConcurrencyLimitLayer::new(max_requests)),
    )
}

/// The routes are infallible, so the only error is that of load shedding.
async fn overloaded(_: BoxError) -> Response {
    let retry = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, retry, "Too many requests at once: try again in a moment\n").into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use tokio::sync::Semaphore;
    use tower::Service;

    use super::*;

    #[tokio::test]
    async fn requests_above_the_limit_get_503_until_another_finishes() {
        let gate = Arc::new(Semaphore::new(0));
        let handler = {
            let gate = Arc::clone(&gate);
            move || async move { gate.acquire().await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR) }
        };
        let mut router = shed_load(Router::new().route("/slow", get(handler)).route("/other", get(|| async {})), 1);
        let mut call = |path: &str| router.call(Request::get(path).body(Body::empty()).unwrap());

        let slow = tokio::spawn(call("/slow"));
        tokio::task::yield_now().await;
        let shed = call("/other").await.unwrap();
        assert_eq!(shed.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(shed.headers()[header::RETRY_AFTER], RETRY_AFTER_SECONDS);

        gate.add_permits(1);
        assert_eq!(slow.await.unwrap().unwrap().status(), StatusCode::OK);
        assert_eq!(call("/other").await.unwrap().status(), StatusCode::OK);
    }
}
