//! Connections to the reset page: idle and slow ones do not keep others out.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Place, Serve};

/// More than the server keeps.
const MANY: usize = 300;

/// The server's time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A prompt answer takes less, on a busy machine too. Shorter than [`HEAD_TIMEOUT`]: nobody waited for that.
const PROMPT: Duration = Duration::from_secs(3);

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// One test at a time opens many sockets: a process has at most 1024 in many environments.
fn sockets() -> MutexGuard<'static, ()> {
    static SOCKETS: Mutex<()> = Mutex::new(());
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server, and the folder of its database.
fn start() -> (Place, Serve) {
    let place = Place::new();
    place.ask("ana@example.com");
    let serve = Serve::start(&place.db(), &["--no-mail"]);
    (place, serve)
}

fn connect(serve: &Serve) -> TcpStream {
    let stream = TcpStream::connect(&serve.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Sends a request, and reads the head of the answer, which has no body.
fn request(stream: &mut TcpStream) {
    stream.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 204 "), "{}", String::from_utf8_lossy(&answer));
}

/// Whether the server has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("an answer without a request"),
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[track_caller]
fn assert_prompt(serve: &Serve) {
    let began = Instant::now();
    request(&mut connect(serve));
    assert!(began.elapsed() < PROMPT, "answered after {:?}", began.elapsed());
}

#[test]
fn request_is_answered_promptly_beside_many_connections_that_send_nothing_or_a_part_of_a_head() {
    let _alone = sockets();
    let (_place, serve) = start();
    for beginning in [b"".as_slice(), b"GET /healthz HTTP/1.1\r\nHost: loc"] {
        let mut idle: Vec<_> = (0..MANY).map(|_| connect(&serve)).collect();
        for stream in &mut idle {
            // The server may have closed the oldest.
            let _ = stream.write_all(beginning);
        }
        assert_prompt(&serve);
        assert_prompt(&serve);
    }
}

#[test]
fn connection_that_has_been_idle_the_longest_gives_way_to_a_new_one() {
    let _alone = sockets();
    let (_place, serve) = start();
    let mut kept: Vec<_> = (0..256).map(|_| connect(&serve)).collect();
    let began = Instant::now();
    // The first was opened first, and is used last.
    for stream in kept.iter_mut().rev() {
        request(stream);
    }
    let mut new = connect(&serve);
    request(&mut new);
    let (last, first) = (kept.pop().unwrap(), kept.remove(0));
    if began.elapsed() < HEAD_TIMEOUT {
        for (mut stream, closed) in [(last, true), (first, false)] {
            let deadline = Instant::now() + Duration::from_secs(1);
            while closed && !is_closed(&mut stream) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(is_closed(&mut stream), closed || began.elapsed() >= HEAD_TIMEOUT);
        }
    }
    request(&mut new);
}

#[test]
fn head_that_arrives_slowly_is_cut_off() {
    let (_place, serve) = start();
    let mut stream = connect(&serve);
    let began = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    // A byte now and then does not extend the time.
    while !is_closed(&mut stream) {
        assert!(began.elapsed() < 4 * HEAD_TIMEOUT, "not cut off");
        std::thread::sleep(Duration::from_millis(100));
        let _ = stream.write_all(b"x");
    }
    assert!(began.elapsed() > HEAD_TIMEOUT - Duration::from_millis(100), "cut off after {:?}", began.elapsed());
}

#[test]
fn connection_without_a_further_request_is_closed() {
    let (_place, serve) = start();
    let mut stream = connect(&serve);
    request(&mut stream);
    let began = Instant::now();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(began.elapsed() < 4 * HEAD_TIMEOUT, "closed after {:?}", began.elapsed());
}
