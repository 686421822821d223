//! Three programs on one database, of which one is killed: one winner of each name, no event or mail is lost, and none comes twice but
//! for those that the killed program had in hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::store::{
    Batch, EventQuery, Mutation, NewEvent, NewJob, Outcome, PostgresDatabase, PostgresOptions, QueueName, StartAt,
    StoreError, UserRef,
};
use tailor_idp_core::{EventKind, Timestamp};
use tokio::time::sleep;

use super::server::Place;
use super::{place, require_postgres, users};
use crate::child::{self, ChildProcess};
use crate::support::{Shared, commit, everyone, total, user};

/// The number of rounds, in each of which a program is killed.
const ROUNDS: &str = "TAILOR_IDP_KILL_ROUNDS";
/// The default number of rounds.
const FEW_ROUNDS: u64 = 3;
const CALLERS: u64 = 64;
/// The names that all programs try to create in a round.
const NAMES: u64 = 250;
/// Far longer than a round.
const LEASE: Duration = Duration::from_secs(3600);
const CONSUMER: &str = "consumer";

async fn open(place: &Place) -> Shared {
    users(&place.open().await.unwrap()).await
}

/// Tells the parent, at once.
fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run as a process of its own by other tests"]
async fn child_creates_users_and_works_on_jobs() {
    let Some((url, argument)) = child::arguments() else { return };
    let (schema, prefix) = argument.split_once(' ').unwrap();
    let place = Place { url: url.to_str().unwrap().to_owned(), schema: schema.to_owned() };
    let store = open(&place).await;
    let next = AtomicU64::new(0);
    let (store, next) = (&store, &next);
    let caller = async || {
        while let index @ 0..NAMES = next.fetch_add(1, Ordering::Relaxed) {
            let name = format!("{prefix}-{index}");
            match persistently(|| create_with_event(store, &name)).await {
                Ok(id) => {
                    tell(&format!("won {name}"));
                    let mail = NewJob { queue: QueueName::ResetMails, user_id: id, payload: name.clone() };
                    persistently(|| commit(store, Mutation::Enqueue(mail.clone()))).await.unwrap();
                    tell(&format!("queued {name}"));
                }
                Err(StoreError::NameTaken) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    // A worker that has told of a job also settles it, unless the program is killed.
    let is_ending = &AtomicBool::new(false);
    let worker = async |queue: QueueName| {
        while !is_ending.load(Ordering::Relaxed) {
            match work(store, &queue, 8).await {
                Ok(0) => sleep(Duration::from_millis(20)).await,
                Ok(_) => {}
                Err(error) => assert!(error.is_temporary(), "{error}"),
            }
        }
    };
    let creating = async {
        join_all((0..CALLERS).map(|_| caller())).await;
        tell("created");
        child::ended_by_parent().await;
        is_ending.store(true, Ordering::Relaxed);
    };
    tokio::join!(creating, worker(QueueName::ResetMails), worker(QueueName::Events(CONSUMER.to_owned())));
}

/// Repeats what has failed for now.
async fn persistently<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match attempt().await {
            Err(error) if error.is_temporary() => sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
}

async fn create_with_event(store: &Shared, name: &str) -> Result<String, StoreError> {
    let batch = Batch {
        mutations: vec![Mutation::CreateUser(user(name))],
        events: vec![NewEvent { user: UserRef::Created, kind: EventKind::Created }],
        ..Batch::default()
    };
    store.commit(batch).await.map(|mut committed| committed.created.remove(0).id)
}

/// Handles the jobs that are due: tells the parent of each, and records it as done.
async fn work(store: &Shared, queue: &QueueName, limit: u32) -> Result<usize, StoreError> {
    let claim = store.claim(queue, LEASE, limit).await?;
    let count = claim.deliveries.len();
    for delivery in claim.deliveries {
        let job = &delivery.job;
        let what = match queue {
            QueueName::ResetMails => format!("mailed {}", job.payload),
            QueueName::Events(_) => format!("heard {}", job.user_id),
        };
        tell(&what);
        assert!(store.settle(&delivery.lease, Outcome::Done { keep: true }).await?, "the lease is valid: {what}");
    }
    Ok(count)
}

/// A program, and what it has told.
struct Program {
    process: Option<ChildProcess>,
    told: Option<JoinHandle<Vec<String>>>,
    created: std::sync::mpsc::Receiver<()>,
}

impl Program {
    fn start(place: &Place, round: u64) -> Self {
        let test = "postgres::kill::child_creates_users_and_works_on_jobs";
        let mut process = ChildProcess::start(test, Path::new(&place.url), format!("{} round{round}", place.schema));
        let stderr = process.stderr();
        let (sender, created) = std::sync::mpsc::channel();
        let told = std::thread::spawn(move || {
            let mut lines = Vec::new();
            // The last line of a killed program may be cut.
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line == "created" {
                    let _ = sender.send(());
                }
                lines.push(line);
            }
            lines
        });
        Self { process: Some(process), told: Some(told), created }
    }

    fn end(&mut self, kill: bool) -> Vec<String> {
        let mut process = self.process.take().unwrap();
        if kill {
            process.kill();
        } else {
            self.created.recv().expect("the program creates all names");
            process.stop();
        }
        self.told.take().unwrap().join().unwrap()
    }
}

/// What all programs have told: the number of times, by kind and subject.
#[derive(Default)]
struct Told {
    times: BTreeMap<(String, String), u64>,
}

impl Told {
    fn add(&mut self, lines: &[String]) {
        for line in lines {
            if let Some((kind, subject)) = line.split_once(' ') {
                *self.times.entry((kind.to_owned(), subject.to_owned())).or_default() += 1;
            }
        }
    }

    fn of(&self, kind: &str) -> BTreeMap<&str, u64> {
        let of_kind = self.times.iter().filter(|((found, _), _)| found == kind);
        of_kind.map(|((_, subject), times)| (subject.as_str(), *times)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_program_takes_no_name_event_or_mail_with_it() {
    require_postgres!();
    let place = place().await;
    let store = open(&place).await;
    commit(&store, Mutation::AddConsumer { name: CONSUMER.to_owned(), start: StartAt::Oldest }).await.unwrap();
    let rounds = std::env::var(ROUNDS).map_or(FEW_ROUNDS, |rounds| rounds.parse().unwrap());
    let (mut told, mut killed) = (Told::default(), Told::default());
    for round in 0..rounds {
        let mut programs: Vec<_> = (0..3).map(|_| Program::start(&place, round)).collect();
        // Killed when a part of the names is there.
        let so_far = round * NAMES;
        while total(&store).await < so_far + 20 + round * 37 % 100 {
            sleep(Duration::from_millis(2)).await;
        }
        let (ended, killed_lines) = tokio::task::block_in_place(|| {
            let killed_lines = programs[0].end(true);
            (programs[1..].iter_mut().flat_map(|program| program.end(false)).collect::<Vec<_>>(), killed_lines)
        });
        told.add(&ended);
        told.add(&killed_lines);
        killed.add(&killed_lines);
        assert_eq!(total(&store).await, so_far + NAMES);
    }

    // A worker of whose clock all leases have ended.
    let clock = Arc::new(|| Timestamp::now().after(2 * LEASE));
    let options = PostgresOptions::new(&place.url).unwrap().schema(&place.schema).unwrap().clock(clock);
    let late = users(&PostgresDatabase::open(options).await.unwrap()).await;
    let mut left = Vec::new();
    for queue in [QueueName::ResetMails, QueueName::Events(CONSUMER.to_owned())] {
        loop {
            let claim = late.claim(&queue, LEASE, 100).await.unwrap();
            if claim.deliveries.is_empty() && !claim.more {
                break;
            }
            for delivery in claim.deliveries {
                left.push(match &queue {
                    QueueName::ResetMails => format!("mailed {}", delivery.job.payload),
                    QueueName::Events(_) => format!("heard {}", delivery.job.user_id),
                });
                assert!(late.settle(&delivery.lease, Outcome::Done { keep: true }).await.unwrap());
            }
        }
    }
    told.add(&left);

    let there = everyone(&store).await;
    let names: BTreeSet<_> = there.iter().map(|user| user.name.as_str()).collect();
    assert_eq!((names.len(), there.len() as u64), (there.len(), rounds * NAMES), "each name once");
    let won = told.of("won");
    assert!(won.keys().all(|name| names.contains(name)) && won.values().all(|times| *times == 1), "one winner each");
    // The winner of the others was killed before it could tell.
    assert!(names.len() - won.len() <= (rounds * CALLERS) as usize, "{} winners of {}", won.len(), names.len());

    let events = store.events(EventQuery::After { id: None, limit: u32::MAX }).await.unwrap();
    let ids: BTreeSet<_> = there.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(events.iter().map(|event| event.user_id.as_str()).collect::<BTreeSet<_>>(), ids);
    assert_eq!(events.len(), there.len(), "one event for each user");
    let heard = told.of("heard");
    assert_eq!(heard.keys().copied().collect::<BTreeSet<_>>(), ids, "each event is delivered");
    let (queued, mailed) = (told.of("queued"), told.of("mailed"));
    assert!(queued.keys().all(|name| mailed.contains_key(name)), "each mail is delivered");
    assert!(mailed.keys().all(|name| names.contains(name)));
    for (kind, delivered) in [("heard", heard), ("mailed", mailed)] {
        let in_hand = killed.of(kind);
        let twice: Vec<_> = delivered.iter().filter(|(_, times)| **times > 1).map(|(subject, _)| *subject).collect();
        assert!(twice.iter().all(|subject| in_hand.contains_key(subject)), "{kind} twice, and not by a killed program");
        // Claims of eight, of which one is settled at a time.
        assert!(twice.len() as u64 <= rounds, "{kind} twice: {twice:?}");
    }
}
