//! HTTP server for the password-reset page: plain HTML without JavaScript.
//!
//! A link is `…/reset-password/<namespace>?token=…`. The first request moves the token from the query into a cookie and
//! redirects to the URL without it. The token therefore appears in no history entry, bookmark, `Referer` header or copied
//! address; only a proxy in front of the server may log it, for that first request. A URL fragment would avoid even that, but
//! needs JavaScript. `GET` requests change nothing, because mail scanners follow links; only the form uses up the token.

mod connection;
mod cookie;
mod load_shedding;
mod page;
mod reset;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use self::page::Pages;
use self::state::ServerState;
use crate::idp;

/// Maximum request body in bytes: fits two passwords of 4096 four-byte characters, percent-encoded.
const MAX_BODY: usize = 128 * 1024;
/// Time that requests in progress have to finish when the server stops.
const SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// A page template does not compile.
#[derive(Debug, thiserror::Error)]
#[error("invalid page template: {0}")]
pub struct InvalidTemplate(#[from] minijinja::Error);

/// Serves the password-reset pages of an [`idp::Router`].
///
/// Each server handles at most 64 requests at once, and answers others with status 503. A form counts once its body has arrived,
/// which may take 10 seconds. Servers in one process do not share this limit. It keeps at most 256 connections: a further one takes the place of the one that has been idle the longest. A
/// connection is closed 5 seconds after it was opened or answered, unless the head of a request has arrived, and after a minute
/// in any case.
#[derive(Debug)]
pub struct Server {
    state: Arc<ServerState>,
}

impl Server {
    /// Creates a server. `base_url` is the URL under which browsers reach it; a proxy that adds a path prefix must strip it
    /// before it forwards requests.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`] if a page template does not compile.
    pub fn new(idp: idp::Router, base_url: Url) -> Result<Self, InvalidTemplate> {
        Ok(Self { state: Arc::new(ServerState { idp, base_url, pages: Pages::load()? }) })
    }

    /// Serves requests until `stop` becomes true or its sender is dropped. Requests in progress then have 10 seconds to
    /// finish. Errors of the listening socket are retried.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = connection::serve(listener, self.router(), stop.clone()) => {}
            () = async {
                let _ = stop.wait_for(|stop| *stop).await;
                tokio::time::sleep(SHUTDOWN_GRACE_PERIOD).await;
            } => {}
        }
    }

    fn router(self) -> Router {
        let router = Router::new()
            .route("/reset-password/{namespace}", get(reset::show).post(reset::submit))
            .route("/healthz", get(|| async { StatusCode::NO_CONTENT }))
            .fallback(|| async { (StatusCode::NOT_FOUND, "Not found\n") });
        load_shedding::shed_load(router, load_shedding::MAX_REQUESTS)
            .layer(middleware::from_fn_with_state(Arc::clone(&self.state), reset::read_body))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn(page::set_security_headers))
            .with_state(self.state)
    }
}
