//! A receiver of webhooks on the loopback address, whose answers a test chooses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tailor_idp_core::Timestamp;
use tailor_idp_core::events::{SIGNATURE_HEADER, SIGNATURE_TOLERANCE, verify};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) const SECRET: &str = "a secret of sixteen and more";

/// An answer to a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// These bytes, HTTP or not.
    Bytes(String),
    /// Closes the connection at once.
    Close,
    /// Keeps the connection open and sends nothing.
    Stall,
}

impl Answer {
    pub(super) fn status(status: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    }

    pub(super) fn ok() -> Self {
        Self::status("204 No Content")
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) event_id: String,
    pub(super) user_id: String,
    pub(super) kind: String,
    /// Whether it was answered with 2xx.
    pub(super) accepted: bool,
}

#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Answers each request with what `answer` returns for it and the earlier requests. The path of a request whose signature is
    /// wrong is the error.
    pub(super) async fn start(answer: impl Fn(&Request, &[Request]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { url, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until the condition holds for the requests.
    pub(super) async fn wait_for(&self, wanted: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        for _ in 0..6000 {
            let requests = self.requests();
            if wanted(&requests) {
                return requests;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not within 30 s: {:#?}", self.requests());
    }

    /// The ids of the accepted events by user, in order.
    pub(super) fn accepted_by_user(&self) -> BTreeMap<String, Vec<String>> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for request in self.requests().into_iter().filter(|request| request.accepted) {
            users.entry(request.user_id).or_default().push(request.event_id);
        }
        users
    }
}

async fn serve(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request, &[Request]) -> Answer>,
) {
    // A killed sender leaves half a request, or none.
    let Some((head, body)) = read(&mut stream).await else { return };
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let now = Timestamp::now();
    let signature = header(SIGNATURE_HEADER).unwrap_or_default();
    let verified = verify(&[SecretString::from(SECRET)], &signature, &body, now, SIGNATURE_TOLERANCE);
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let mut request = Request {
        path: match verified {
            Ok(()) => head.split(' ').nth(1).unwrap_or_default().to_owned(),
            Err(error) => format!("not signed: {error}"),
        },
        event_id: text("id"),
        user_id: text("userId"),
        kind: text("type"),
        accepted: false,
    };
    let answer = {
        let mut log = log.lock().unwrap();
        let answer = answer(&request, &log);
        request.accepted = matches!(&answer, Answer::Bytes(bytes) if bytes.starts_with("HTTP/1.1 2"));
        log.push(request);
        answer
    };
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
        Answer::Close => {}
        // Until the sender closes the connection.
        Answer::Stall => {
            let _ = stream.read(&mut [0]).await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            let body = &bytes[end + 4..];
            if body.len() >= length.unwrap_or_default() {
                return Some((head, body.to_vec()));
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
