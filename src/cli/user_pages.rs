//! All users of a namespace, page by page, for commands that export or copy them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tailor_idp::idp::directory::ScannedUser;
use tailor_idp::idp::local::StoredPassword;
use tailor_idp::idp::{CallContext, Code, IdpError, Router, UserRecord};
use tokio::sync::watch;

use super::output;

/// The number of users on a page: that of one request to most services.
const PAGE: u32 = 100;

/// The delays before further attempts, in seconds. Together longer than the minute for which services refuse a client that
/// has asked too often.
const DELAYS: [u64; 7] = [1, 2, 4, 8, 16, 32, 60];

/// The maximum time to wait for a service that asks for it.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// A user, and the password as far as it is known.
pub(super) struct StoredUser {
    pub(super) record: UserRecord,
    /// `None` if the users are at a service, which gives out no passwords.
    pub(super) password: Option<StoredPassword>,
    /// Whether the user has a password, if the service says so.
    pub(super) has_password: Option<bool>,
}

/// Reads the users of a namespace in creation order.
pub(super) struct UserPages<'a> {
    idp: &'a Router,
    context: &'a CallContext,
    next: Option<Option<String>>,
}

impl<'a> UserPages<'a> {
    pub(super) fn new(idp: &'a Router, context: &'a CallContext) -> Self {
        Self { idp, context, next: Some(None) }
    }

    /// The next page, or `None` after the last one. With `passwords`, reads those of users in a store.
    pub(super) async fn next(
        &mut self,
        passwords: bool,
        patience: &mut Patience,
    ) -> Result<Option<Vec<StoredUser>>, Stopped> {
        let Some(after) = self.next.take() else { return Ok(None) };
        let namespace = self.context.namespace.as_str();
        let directory = self.idp.directory(namespace)?;
        let page = patience.attempt(async || directory.scan(self.context, after.clone(), PAGE).await).await?;
        self.next = page.next.map(Some);
        let local = self.idp.local(namespace).ok().filter(|_| passwords);
        let mut users = Vec::with_capacity(page.users.len());
        for ScannedUser { record, has_password } in page.users {
            let password = match local {
                None => None,
                Some(local) => match local.stored_password(&record.id).await? {
                    // Deleted since the page was read.
                    None => continue,
                    password => password,
                },
            };
            users.push(StoredUser { record, password, has_password });
        }
        Ok(Some(users))
    }
}

/// Why a command ends before all users are read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error(transparent)]
    Failed(#[from] IdpError),
    #[error("interrupted")]
    Interrupted,
}

/// Repeats calls that fail for a while only, such as those above the rate limit of a service. Clones wait together.
#[derive(Clone)]
pub(super) struct Patience {
    stop: watch::Receiver<bool>,
    bar: ProgressBar,
    shared: Rc<Shared>,
}

struct Shared {
    /// No call begins before this time.
    resume: Cell<Instant>,
    /// The number of calls that succeeded.
    successes: Cell<u64>,
}

impl Patience {
    /// Gives up once `stop` is true.
    pub(super) fn new(stop: watch::Receiver<bool>, bar: ProgressBar) -> Self {
        let shared = Shared { resume: Cell::new(Instant::now()), successes: Cell::default() };
        Self { stop, bar, shared: Rc::new(shared) }
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// The result of the call, repeated while it fails with an error that passes.
    pub(super) async fn attempt<T>(&mut self, call: impl AsyncFn() -> Result<T, IdpError>) -> Result<T, Stopped> {
        self.attempt_if(passes, call).await
    }

    /// The result of the call, repeated while it is above a rate limit: every other error is final.
    pub(super) async fn attempt_below_rate<T>(
        &mut self,
        call: impl AsyncFn() -> Result<T, IdpError>,
    ) -> Result<T, Stopped> {
        self.attempt_if(|error| error.code() == Code::ResourceExhausted, call).await
    }

    async fn attempt_if<T>(
        &mut self,
        repeats: impl Fn(&IdpError) -> bool,
        call: impl AsyncFn() -> Result<T, IdpError>,
    ) -> Result<T, Stopped> {
        let mut delays = DELAYS.into_iter();
        let mut successes = self.shared.successes.get();
        loop {
            self.pause().await?;
            let error = match call().await {
                Ok(value) => {
                    self.shared.successes.update(|successes| successes + 1);
                    return Ok(value);
                }
                Err(error) => error,
            };
            // As long as others succeed, the service works, at its own rate.
            if successes != self.shared.successes.get() {
                (delays, successes) = (DELAYS.into_iter(), self.shared.successes.get());
            }
            let Some(delay) = delays.next().filter(|_| repeats(&error)) else { return Err(error.into()) };
            let asked = error.retry_after().unwrap_or_default().min(MAX_WAIT);
            self.wait(asked.max(Duration::from_secs(delay)), &error);
        }
    }

    /// Lets all calls wait. Says so once.
    fn wait(&self, delay: Duration, error: &IdpError) {
        let (now, resume) = (Instant::now(), self.shared.resume.get());
        if resume <= now {
            let seconds = delay.as_secs_f64().ceil();
            self.bar.suspend(|| output::note("waiting", &format!("{seconds} s: {error}")));
        }
        self.shared.resume.set(resume.max(now + delay));
    }

    /// Waits until calls can begin again.
    async fn pause(&mut self) -> Result<(), Stopped> {
        while !self.is_stopped() {
            let resume = self.shared.resume.get();
            if resume <= Instant::now() {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep_until(resume.into()) => {}
                _ = self.stop.wait_for(|stop| *stop) => {}
            }
        }
        Err(Stopped::Interrupted)
    }
}

/// Whether the same call can succeed later.
fn passes(error: &IdpError) -> bool {
    matches!(error.code(), Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded | Code::Aborted)
}
