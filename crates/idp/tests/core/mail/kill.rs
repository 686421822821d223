//! Workers in several processes, and workers that are killed while they send.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::local::{LEASE, MailState};
use tailor_idp_core::mail::{MailSettings, MailTransport, MailWorker, SmtpServer as SmtpSettings};
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::{NamespaceSettings, Timestamp};
use tempfile::TempDir;
use tokio::sync::watch;

use super::smtp::{Mail, SmtpServer};
use crate::child::{self, ChildProcess};
use crate::host::{Host, NAMESPACE};
use crate::support::{namespace, open, place};

const MAILS: usize = 40;

/// A worker that sends all due mails. Its clock is this number of leases ahead.
fn worker(database: &Path, server: &SmtpServer, leases: u32) -> ChildProcess {
    ChildProcess::start("mail::kill::child_sends_due_mails", database, format!("{leases} {}", server.url()))
}

#[tokio::test]
#[ignore = "run as a process of its own by other tests"]
async fn child_sends_due_mails() {
    let Some((database, argument)) = child::arguments() else { return };
    let (leases, url) = argument.split_once(' ').unwrap();
    let ahead = (LEASE + Duration::from_secs(1)) * leases.parse().unwrap();
    let clock = Arc::new(move || Timestamp::now().after(ahead));
    let store = SqliteDatabase::open_with_clock(database, clock).unwrap().namespace(&namespace(NAMESPACE)).await;
    let host = Host::over(Arc::new(store.unwrap()), NamespaceSettings::default());
    let settings = MailSettings {
        transport: MailTransport::Smtp(SmtpSettings::from_url(url).unwrap()),
        from_address: "id@example.com".into(),
        base_url: "http://localhost".parse().unwrap(),
    };
    let (_sender, stop) = watch::channel(false);
    MailWorker::new(host.router, settings).unwrap().send_due(&stop, |_| ()).await.unwrap();
}

/// A database with queued mails to different users.
async fn queued() -> (TempDir, PathBuf, Host) {
    let (folder, path) = place();
    let host = Host::over(open(&path, NAMESPACE).await, NamespaceSettings::default());
    for n in 0..MAILS {
        let user = host.create(&format!("user{n}@example.com")).await;
        host.request_mail(&user.id).await.unwrap();
    }
    (folder, path, host)
}

/// The addresses of the mails in this state.
async fn addresses(host: &Host, state: MailState) -> Vec<String> {
    host.reset_mails(Some(state), u32::MAX).await.unwrap().into_iter().map(|mail| mail.to).collect()
}

/// The number of mails by address.
fn count(mails: &[Mail]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for mail in mails {
        *count.entry(mail.envelope["to"][0].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

#[tokio::test]
async fn workers_in_several_processes_send_each_mail_once() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let (_folder, path, host) = queued().await;
    let workers = [0; 3].map(|_| worker(&path, &server, 0));
    workers.into_iter().for_each(ChildProcess::wait);
    let mails: Vec<_> = (0..MAILS).map(|_| server.next()).collect();
    assert!(server.so_far().is_empty(), "more mails than were queued");
    let count = count(&mails);
    assert_eq!((count.len(), count.values().sum::<usize>()), (MAILS, MAILS), "{count:?}");
    assert_eq!(addresses(&host, MailState::Sent).await.len(), MAILS);
}

#[tokio::test]
async fn killed_workers_lose_no_mail_and_repeat_only_those_being_sent() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let (_folder, path, host) = queued().await;
    let (mut mails, mut in_flight, mut kills) = (Vec::new(), Vec::new(), 0);
    while kills < 4 && addresses(&host, MailState::Queued).await.len() >= 2 {
        let (first, second) = (worker(&path, &server, kills), worker(&path, &server, kills));
        mails.push(server.next());
        std::thread::sleep(Duration::from_millis(7) * kills);
        // Kills them. On a fast machine, one may have finished.
        drop((first, second));
        in_flight.extend(addresses(&host, MailState::Sending).await);
        kills += 1;
    }
    assert!(kills > 0, "the workers finished before the first kill");
    worker(&path, &server, kills).wait();
    assert_eq!(addresses(&host, MailState::Sent).await.len(), MAILS);
    while count(&mails).len() < MAILS {
        mails.push(server.next());
    }
    mails.extend(server.so_far());
    for (address, times) in count(&mails) {
        let chances = 1 + in_flight.iter().filter(|other| **other == address).count();
        assert!(times <= chances, "{address} got {times} mails, and was being sent {chances} times");
    }
}
