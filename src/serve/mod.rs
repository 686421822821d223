//! The page behind a reset link, over HTTP: plain HTML that needs no JavaScript.
//!
//! A link is `…/reset-password/<namespace>?token=…`. The first request moves the token from the address into a cookie, and sends the
//! browser on to the bare address. So the token is in no history, bookmark, `Referer` or copied address, and in a log only where a
//! proxy in front of us keeps one of that first request. A fragment would spare even that, but needs JavaScript to be of use. Looking
//! at the page changes nothing: mail scanners that follow links may. The token is used up by the form alone.

mod cookie;
mod limits;
mod page;
mod reset;

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

use self::limits::Limited;
use self::page::Pages;
use crate::idp::Idp;

/// Holds two passwords of 4096 characters of four bytes, each percent-encoded.
const MAX_BODY: usize = 128 * 1024;
/// For how long requests that are being answered may go on when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// A template is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the page's template is at fault: {0}")]
pub struct InvalidTemplate(#[from] minijinja::Error);

/// Serves the pages of an [`Idp`].
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    idp: Idp,
    base_url: Url,
    pages: Pages,
}

impl Server {
    /// A server whose pages browsers reach under `base_url`; a proxy that puts a path in front takes it off again.
    ///
    /// # Errors
    ///
    /// A template at fault.
    pub fn new(idp: Idp, base_url: Url) -> Result<Self, InvalidTemplate> {
        Ok(Self { state: Arc::new(State { idp, base_url, pages: Pages::load()? }) })
    }

    /// Answers requests until `stop` is true or its sender is gone, and then those that are under way.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
        let stopped = {
            let mut stop = stop.clone();
            async move {
                let _ = stop.wait_for(|stop| *stop).await;
            }
        };
        let serving = axum::serve(Limited::new(listener), self.router()).with_graceful_shutdown(stopped);
        tokio::select! {
            served = serving => served,
            () = async {
                let _ = stop.wait_for(|stop| *stop).await;
                tokio::time::sleep(SHUTDOWN_GRACE).await;
            } => Ok(()),
        }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/reset-password/{namespace}", get(reset::show).post(reset::submit))
            .route("/healthz", get(|| async { StatusCode::NO_CONTENT }))
            .fallback(|| async { (StatusCode::NOT_FOUND, "Not found\n") })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn(limits::at_once))
            .layer(middleware::from_fn(page::protect))
            .with_state(self.state)
    }
}
