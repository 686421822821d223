//! Accepting and serving connections, bounded in number and time.
//!
//! `axum::serve` sets none of hyper's timeouts and closes no idle connections, so hyper's connections are driven here.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

/// Maximum number of open connections. A further one takes the place of the one that has been idle the longest; while none is
/// idle, it waits in the listen backlog.
const MAX_CONNECTIONS: usize = 256;
/// Time for the head of a request, from the connection or the end of the request before: ends slow-loris connections, and those
/// that stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum lifetime of a connection. A visit takes two or three short requests.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);

/// Serves connections until `stop` becomes true, then waits for the requests in progress.
pub(super) async fn serve(mut listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let connections = Arc::new(Connections::new(MAX_CONNECTIONS));
    loop {
        let accept = async {
            let (stream, _) = Listener::accept(&mut listener).await;
            (stream, connections.admit().await)
        };
        let (stream, permit) = tokio::select! {
            accepted = accept => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let activity = Activity::new(&connections, permit);
        tokio::spawn(serve_connection(stream, router.clone(), activity, stop.clone()));
    }
    drop(listener);
    connections.closed().await;
}

async fn serve_connection(stream: TcpStream, router: Router, activity: Activity, mut stop: watch::Receiver<bool>) {
    let activity = Arc::new(activity);
    let service = service_fn(|request: Request<Incoming>| {
        let (busy, response) = (Busy::new(&activity), router.clone().call(request));
        async move {
            let response = response.await;
            // hyper writes the response, which is in memory, before `connection` returns to the loop below.
            drop(busy);
            response
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut lifetime = pin!(tokio::time::sleep(CONNECTION_LIFETIME));
    let mut stopping = false;
    loop {
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection failed");
                }
                return;
            }
            () = lifetime.as_mut() => return,
            // A request may have arrived meanwhile: it is answered first.
            () = activity.give_way.notified() => if activity.is_idle() { return } else { connection.as_mut().graceful_shutdown() },
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The open connections of a server.
struct Connections {
    max: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
    became_idle: Notify,
}

/// The idle connections, in the order in which they became idle.
#[derive(Default)]
struct Idle {
    give_way: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { max, permits: Arc::new(Semaphore::new(max)), idle: Mutex::default(), became_idle: Notify::new() }
    }

    /// Waits for a place. If all are taken, closes the connection that has been idle the longest.
    async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so this is always a permit.
        let acquire = || async { Arc::clone(&self.permits).acquire_owned().await.ok() };
        loop {
            let mut became_idle = pin!(self.became_idle.notified());
            // Registers before the look at the idle connections.
            became_idle.as_mut().enable();
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Some(permit);
            }
            let oldest = self.idle.lock().give_way.pop_first();
            if let Some((_, give_way)) = oldest {
                give_way.notify_one();
                return acquire().await;
            }
            tokio::select! {
                permit = acquire() => return permit,
                () = became_idle => {}
            }
        }
    }

    /// Waits until all connections are closed.
    async fn closed(&self) {
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        let _ = self.permits.acquire_many(all).await;
    }
}

/// Whether a connection is idle: no request is in progress, and a part of a head at most has arrived. Gives up the connection's
/// place when dropped.
struct Activity {
    connections: Arc<Connections>,
    /// The key among the idle connections; `None` while a request is in progress.
    idle: Mutex<Option<u64>>,
    give_way: Arc<Notify>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Activity {
    fn new(connections: &Arc<Connections>, permit: Option<OwnedSemaphorePermit>) -> Self {
        let activity = Self {
            connections: Arc::clone(connections),
            idle: Mutex::new(None),
            give_way: Arc::default(),
            _permit: permit,
        };
        activity.set_idle();
        activity
    }

    fn is_idle(&self) -> bool {
        self.idle.lock().is_some()
    }

    fn set_idle(&self) {
        let mut idle = self.connections.idle.lock();
        let key = idle.next;
        idle.next += 1;
        idle.give_way.insert(key, Arc::clone(&self.give_way));
        drop(idle);
        *self.idle.lock() = Some(key);
        self.connections.became_idle.notify_waiters();
    }

    fn set_busy(&self) {
        if let Some(key) = self.idle.lock().take() {
            self.connections.idle.lock().give_way.remove(&key);
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.set_busy();
    }
}

/// A request in progress. Its connection is idle again when this is dropped.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.set_busy();
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_idle();
    }
}
