//! Connections to the reset page: idle ones, slow ones and slow forms do not keep others out.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Place, Serve};

/// More than the server keeps.
const MANY: usize = 300;

/// The server's time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts at what has to be done within [`HEAD_TIMEOUT`].
const ATTEMPTS: usize = 5;

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
    // On a busy machine, an attempt can take so long that the server closes idle connections for another reason.
    let which = (0..ATTEMPTS).find_map(|_| which_gave_way(&serve));
    let which = which.unwrap_or_else(|| panic!("none of {ATTEMPTS} attempts took less than {HEAD_TIMEOUT:?}"));
    assert_eq!(which, [false, true], "those used last and first are closed");
}

/// Whether the connections that were used last and first have been closed for a new one. `None` if that took so long that it could
/// have another reason.
fn which_gave_way(serve: &Serve) -> Option<[bool; 2]> {
    let began = Instant::now();
    let mut kept: Vec<_> = (0..256).map(|_| connect(serve)).collect();
    // The first was opened first, and is used last.
    for stream in kept.iter_mut().rev() {
        request(stream);
    }
    let mut new = connect(serve);
    request(&mut new);
    let (mut used_first, mut used_last) = (kept.pop()?, kept.remove(0));
    let deadline = Instant::now() + Duration::from_secs(1);
    while !is_closed(&mut used_first) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let closed = [is_closed(&mut used_last), is_closed(&mut used_first)];
    let is_in_time = began.elapsed() < HEAD_TIMEOUT;
    request(&mut new);
    is_in_time.then_some(closed)
}

#[test]
fn requests_are_answered_beside_more_slow_forms_than_the_server_handles_at_once() {
    let _alone = sockets();
    let (_place, serve) = start();
    let form = "POST /reset-password/builtin-idp HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nproof=";
    // Twice the limit, within the connections that the server keeps.
    let mut slow: Vec<_> = (0..128).map(|_| connect(&serve)).collect();
    for stream in &mut slow {
        stream.write_all(form.as_bytes()).unwrap();
    }
    // A 503 fails the assertion on the status. Each head was read before that of a later connection, or soon after.
    for _ in 0..10 {
        assert_prompt(&serve);
        std::thread::sleep(Duration::from_millis(20));
    }
    // The forms are still awaited, and a complete one is answered: it has no token.
    let mut complete = slow.pop().unwrap();
    complete.write_all(&[b'x'; 94]).unwrap();
    let mut answer = [0; 12];
    complete.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 410");
    assert!(slow.iter_mut().all(|stream| !is_closed(stream)));
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
