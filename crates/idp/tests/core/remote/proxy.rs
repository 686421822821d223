//! A proxy that makes the faults of networks and services.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use url::Url;

/// What happens to one exchange.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It passes.
    None,
    /// The connection is reset before the request is passed on.
    ResetBefore,
    /// The request is passed on, and the connection is reset in the midst of the answer.
    ResetInAnswer,
    /// The request is passed on, and the answer stops in its midst.
    Stall,
    /// Nothing is passed on: this is the answer, as it is on the wire.
    Answer(&'static str),
}

/// A proxy, of which each connection serves one exchange.
pub(super) struct Proxy {
    pub(super) url: Url,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    requests: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Proxy {
    /// A proxy before the server at `peer`.
    pub(super) async fn start(peer: &Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let peer = peer.socket_addrs(|| None).unwrap()[0];
        let (faults, requests) = <(Arc<Mutex<VecDeque<Fault>>>, Arc<Mutex<Vec<String>>>)>::default();
        let (planned, seen) = (Arc::clone(&faults), Arc::clone(&requests));
        let serve = async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (planned, seen) = (Arc::clone(&planned), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A failure is what the test asked for, or shows in its outcome.
                    let _ = exchange(client, peer, &planned, &seen).await;
                });
            }
        };
        Self { url, faults, requests, task: tokio::spawn(serve).abort_handle() }
    }

    /// Makes these faults, one for each of the next exchanges.
    pub(super) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock().unwrap() = faults.into_iter().collect();
    }

    /// The first lines of the requests since the last call.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn exchange(
    mut client: TcpStream,
    peer: std::net::SocketAddr,
    faults: &Mutex<VecDeque<Fault>>,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let request = read_request(&mut client).await?;
    if request.is_empty() {
        return Ok(());
    }
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    requests.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
    let fault = faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
    match &fault {
        Fault::ResetBefore => return reset(client),
        Fault::Answer(answer) => {
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        Fault::None | Fault::ResetInAnswer | Fault::Stall => {}
    }
    let mut server = TcpStream::connect(peer).await?;
    server.write_all(&close_after(&request)).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    let half = &answer[..answer.len() - 2];
    match fault {
        Fault::ResetInAnswer => {
            client.write_all(half).await?;
            client.flush().await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            reset(client)
        }
        Fault::Stall => {
            client.write_all(half).await?;
            std::future::pending().await
        }
        _ => {
            client.write_all(&answer).await?;
            client.shutdown().await
        }
    }
}

/// Closes the connection with a reset.
fn reset(client: TcpStream) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
    Ok(())
}

async fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(request);
            }
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(Vec::new());
        }
    }
}

/// The request with a header that ends the connection after the answer.
fn close_after(request: &[u8]) -> Vec<u8> {
    let end = request.windows(2).position(|bytes| bytes == b"\r\n").unwrap_or(0) + 2;
    [&request[..end], b"Connection: close\r\n", &request[end..]].concat()
}
