//! A local web server that records the requests it receives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use axum::serve::Listener;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A running server. Stops when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
    /// Receives a message for each response that the client stopped waiting for.
    pub(super) abandoned: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

struct Seen {
    requests: Mutex<Vec<ReceivedRequest>>,
    abandoned: mpsc::UnboundedSender<()>,
}

/// A received request.
#[derive(Debug, Clone)]
pub(super) struct ReceivedRequest {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ReceivedRequest {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::serve(listener, address)
    }

    /// A server with a certificate of a private authority, for `api.example` and `localhost`.
    pub(super) async fn start_tls(config: ServerConfig) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        Self::serve(TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) }, address)
    }

    fn serve<L: Listener<Addr: std::fmt::Debug>>(listener: L, address: SocketAddr) -> Self {
        let (sender, abandoned) = mpsc::unbounded_channel();
        let seen = Arc::new(Seen { requests: Mutex::default(), abandoned: sender });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, task, abandoned: tokio::sync::Mutex::new(abandoned) }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn requests(&self) -> Vec<ReceivedRequest> {
        self.seen.requests.lock().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // Fails if the client does not trust the certificate.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

struct Abandoned(mpsc::UnboundedSender<()>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    seen.requests.lock().push(ReceivedRequest { line, headers: head.headers, body: body.clone() });
    let response = Response::builder();
    let path = head.uri.path();
    if let Some(location) = path.strip_prefix("/to/") {
        return response.status(302).header("location", location).body(Body::empty()).unwrap();
    }
    if let Some(size) = path.strip_prefix("/bytes/") {
        return response.body(Body::from(vec![b'x'; size.parse().unwrap()])).unwrap();
    }
    match path {
        "/echo" => response.body(Body::from(body)).unwrap(),
        "/gunzip" => response.header("content-encoding", "gzip").body(Body::from(body)).unwrap(),
        "/cookie" => response.header("set-cookie", "a=b").body(Body::empty()).unwrap(),
        "/never" => {
            let _abandoned = Abandoned(seen.abandoned.clone());
            std::future::pending().await
        }
        "/trickle" => {
            let abandoned = Abandoned(seen.abandoned.clone());
            let parts = futures::stream::iter(["one", "two"]).map(|part| Ok::<_, Infallible>(Bytes::from(part)));
            let never = futures::stream::once(async move {
                let _abandoned = abandoned;
                std::future::pending().await
            });
            response.body(Body::from_stream(parts.chain(never))).unwrap()
        }
        "/flood" => {
            let parts = futures::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])));
            response.body(Body::from_stream(parts)).unwrap()
        }
        "/events" => {
            let text = "retry: 100000\n\nevent: greeting\ndata: hello\nid: 7\n\ndata: one\ndata: two\n\n";
            let parts = futures::stream::iter([Ok::<_, Infallible>(Bytes::from(text))]);
            let rest = futures::stream::once(tokio::time::sleep(Duration::from_secs(3600)));
            let rest = rest.map(|()| Ok(Bytes::new()));
            response.header("content-type", "text/event-stream").body(Body::from_stream(parts.chain(rest))).unwrap()
        }
        _ => response.header("x-answer", "yes").body(Body::from("hello")).unwrap(),
    }
}
