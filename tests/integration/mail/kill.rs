//! Workers side by side, and killed while they send.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::Duration;

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::json;

use super::Place;
use super::smtp::{Mail, SmtpServer};
use crate::support::program;

const MAILS: usize = 40;

fn queue(place: &Place) {
    place.run(&format!(
        "await Promise.all(Array.from({{ length: {MAILS} }}, async (_, n) => {{
           const {{ id: userId }} = await idp.createUser({{ name: `user${{n}}@example.com` }});
           await idp.sendPasswordResetEmail({{ userId, redirectUri }});
         }}));
         return null;"
    ));
}

fn worker(place: &Place, server: &SmtpServer) -> Child {
    let mut worker = program();
    worker.args(["mail", "send", "--smtp-url", &server.url(), "--db"]).arg(place.db());
    worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// How many mails each address got.
fn count(mails: &[Mail]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for mail in mails {
        *count.entry(mail.envelope["to"][0].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

#[test]
fn two_workers_send_each_mail_once() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new();
    queue(&place);
    let workers = [worker(&place, &server), worker(&place, &server), worker(&place, &server)];
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    let mails: Vec<_> = (0..MAILS).map(|_| server.next()).collect();
    assert!(server.so_far().is_empty(), "more than were asked for");
    let count = count(&mails);
    assert_eq!((count.len(), count.values().sum::<usize>()), (MAILS, MAILS), "{count:?}");
    assert_eq!(place.states(), vec!["sent 1"; MAILS]);
}

#[test]
fn no_mail_is_lost_to_a_killed_worker_and_only_one_that_it_was_sending_is_doubled() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new();
    queue(&place);
    let mut mails = Vec::new();
    let mut in_flight = Vec::new();
    let file = Connection::open(place.db()).unwrap();
    for kill in 0..4 {
        let sql = "SELECT count(*) FROM reset_mails WHERE state = 'queued'";
        let left: i64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
        if left < 2 {
            // A fast machine: the kills so far have to do.
            assert!(kill > 0, "the workers were done before the first kill");
            break;
        }
        let (mut dying, mut other) = (worker(&place, &server), worker(&place, &server));
        mails.push(server.next());
        std::thread::sleep(Duration::from_millis(7 * kill));
        dying.kill().unwrap();
        other.kill().unwrap();
        dying.wait().unwrap();
        other.wait().unwrap();
        let sql = "SELECT name FROM reset_mails JOIN users ON users.id = user_id WHERE state = 'sending'";
        let mut sending = file.prepare(sql).unwrap();
        let names = sending.query_map([], |row| row.get::<_, String>(0)).unwrap();
        in_flight.extend(names.map(Result::unwrap));
        // Their leases end.
        file.execute("UPDATE reset_mails SET due_at = 0 WHERE state = 'sending'", []).unwrap();
    }
    assert!(worker(&place, &server).wait().unwrap().success());
    assert!(place.states().iter().all(|state| state.starts_with("sent")), "{:?}", place.states());
    while count(&mails).len() < MAILS {
        mails.push(server.next());
    }
    mails.extend(server.so_far());
    for (address, times) in count(&mails) {
        let chances = 1 + in_flight.iter().filter(|name| **name == address).count();
        assert!(times <= chances, "{address} got {times} mails, and was being sent {chances} times");
    }
}
