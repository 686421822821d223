//! Commits, for the workers that wait for them.
//!
//! Programs tell one another by NOTIFY. A transaction with a NOTIFY holds a lock of the whole server while it commits, so commits with
//! one would queue behind one another's flush to the disk. So the NOTIFY is a transaction of its own that waits for no disk, at most
//! one in [`NOTIFY_EVERY`] for each program, however many writers it has. One that is lost delays workers until they poll.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::attempts::Attempts;
use super::error::{Failure, RETRY_FOR};
use super::options::PostgresOptions;
use super::pool::Connections;
use super::transaction::SHORT_REPLY;
use crate::random;
use crate::store::StoreError;

/// The shortest time between two notifications of a program.
const NOTIFY_EVERY: Duration = Duration::from_millis(100);

/// The pause before a lost connection for notifications is replaced.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// The commits of this program, and those of others that it is told of.
pub(super) struct Commits {
    /// Changes with each.
    changes: watch::Sender<u64>,
    /// The number of those of this program.
    own: AtomicU64,
    /// The name of the schema.
    channel: String,
    /// Tells the notifications of this program from those of others.
    program: String,
    is_listening: AtomicBool,
    hears: Arc<AtomicBool>,
    schedule: Mutex<Schedule>,
}

/// When to notify.
#[derive(Default)]
struct Schedule {
    last: Option<Instant>,
    /// Whether a task is going to notify.
    is_due: bool,
}

/// The notification of one commit.
pub(super) struct Notification {
    /// The statements to send behind the commit. `None` if the notification is due later.
    pub(super) now: Option<String>,
}

impl Commits {
    pub(super) fn new(schema: &str) -> Self {
        Self {
            channel: schema.to_owned(),
            changes: watch::Sender::new(0),
            own: AtomicU64::new(0),
            // Without random numbers, the program also wakes its own workers a second time.
            program: random::bytes::<8>().map_or_else(|_| String::new(), |bytes| u64::from_be_bytes(bytes).to_string()),
            is_listening: AtomicBool::new(false),
            hears: Arc::default(),
            schedule: Mutex::default(),
        }
    }

    /// Subscribes. The first subscriber makes the program listen to others, on a connection beside those of the pool.
    pub(super) fn subscribe(&self, connections: &Connections) -> watch::Receiver<u64> {
        let options = connections.options();
        // Behind a pooler, the server process that listens is not the program's.
        if !options.is_pooled && !self.is_listening.swap(true, Ordering::Relaxed) {
            let listener = Listener {
                options: options.clone(),
                changes: self.changes.clone(),
                hears: Arc::clone(&self.hears),
                program: self.program.clone(),
            };
            connections.detach(listener.run());
        }
        self.changes.subscribe()
    }

    /// Whether the program is told of the commits of others.
    pub(super) fn hears_others(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    /// The number of commits of this program.
    pub(super) fn own(&self) -> u64 {
        self.own.load(Ordering::Acquire)
    }

    /// Counts a commit of this program.
    pub(super) fn count_own(&self) {
        self.own.fetch_add(1, Ordering::Release);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The notification of a commit that is about to be sent.
    pub(super) fn notification(&self) -> Notification {
        let mut schedule = self.schedule.lock();
        let is_due = !schedule.is_due && schedule.last.is_none_or(|last| last.elapsed() >= NOTIFY_EVERY);
        if is_due {
            schedule.last = Some(Instant::now());
        }
        Notification { now: is_due.then(|| self.statements()) }
    }

    /// Notifies as soon as enough time has passed since the last time.
    pub(super) fn notify_later(self: &Arc<Self>, connections: &Arc<Connections>) {
        let pause = {
            let mut schedule = self.schedule.lock();
            if schedule.is_due {
                return;
            }
            schedule.is_due = true;
            schedule.last.map_or(Duration::ZERO, |last| NOTIFY_EVERY.saturating_sub(last.elapsed()))
        };
        let (this, on) = (Arc::clone(self), Arc::clone(connections));
        connections.detach(async move {
            sleep(pause).await;
            // Before the notification: it stands for all commits until then.
            *this.schedule.lock() = Schedule { last: Some(Instant::now()), is_due: false };
            let notify = async {
                let connection = on.get(&Attempts::begin(), SHORT_REPLY).await?;
                connection.script(&this.statements(), SHORT_REPLY).await
            };
            if let Err(failure) = notify.await {
                tracing::debug!(?failure, "other programs are not told of commits: they poll");
            }
        });
    }

    /// Several statements in one message are one transaction.
    fn statements(&self) -> String {
        let Self { channel, program, .. } = self;
        format!("SET LOCAL synchronous_commit = off; NOTIFY \"{channel}\", '{program}'")
    }
}

/// Listens to other programs.
struct Listener {
    options: PostgresOptions,
    changes: watch::Sender<u64>,
    hears: Arc<AtomicBool>,
    program: String,
}

impl Listener {
    async fn run(self) {
        loop {
            let outcome = match &self.options.tls {
                Some(tls) => self.listen(MakeRustlsConnect::new((**tls).clone())).await,
                None => self.listen(NoTls).await,
            };
            self.hears.store(false, Ordering::Relaxed);
            let Err(failure) = outcome;
            tracing::debug!(?failure, "not told of the commits of other programs: polling");
            sleep(RECONNECT_AFTER).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen<T>(&self, tls: T) -> Result<std::convert::Infallible, Failure>
    where
        T: MakeTlsConnect<Socket>,
    {
        let lost = |text: &str| Failure::Lost(StoreError::Unavailable(text.to_owned()));
        let connected = timeout(RETRY_FOR, self.options.config.connect(tls)).await;
        let (client, mut connection) = connected.map_err(|_| lost("no answer"))??;
        let mut messages = async || poll_fn(|cx| connection.poll_message(cx)).await;
        let sql = format!("LISTEN \"{}\"", self.options.schema);
        let listening = client.batch_execute(&sql);
        tokio::pin!(listening);
        loop {
            let message = if self.hears.load(Ordering::Relaxed) {
                messages().await
            } else {
                tokio::select! {
                    done = &mut listening => {
                        done?;
                        self.hears.store(true, Ordering::Relaxed);
                        // Of commits until then, the program was not told.
                        self.changes.send_modify(|changes| *changes += 1);
                        continue;
                    }
                    message = messages() => message,
                    () = sleep(RETRY_FOR) => return Err(lost("no reply")),
                }
            };
            match message {
                Some(Ok(AsyncMessage::Notification(note))) if note.payload() == self.program => {}
                Some(Ok(AsyncMessage::Notification(_))) => self.changes.send_modify(|changes| *changes += 1),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(lost("the connection was closed")),
            }
        }
    }
}
