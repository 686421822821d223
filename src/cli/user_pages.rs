//! All users of a namespace, page by page, for commands that export or copy them.

use std::time::Duration;

use indicatif::ProgressBar;
use tailor_idp::idp::local::StoredPassword;
use tailor_idp::idp::{CallContext, Code, IdpError, Router, UserRecord};
use tokio::sync::watch;

use super::output;

/// The number of users on a page: that of one request to most services.
const PAGE: u32 = 100;

/// The delays before further attempts, in seconds. Together longer than the minute for which services refuse a client that
/// has asked too often.
const DELAYS: [u64; 7] = [1, 2, 4, 8, 16, 32, 60];

/// A user, and the password as far as it is known.
pub(super) struct StoredUser {
    pub(super) record: UserRecord,
    /// `None` if the users are at a service, which gives out no passwords.
    pub(super) password: Option<StoredPassword>,
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
        for record in page.users {
            let password = match local {
                None => None,
                Some(local) => match local.stored_password(&record.id).await? {
                    // Deleted since the page was read.
                    None => continue,
                    password => password,
                },
            };
            users.push(StoredUser { record, password });
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

/// Repeats calls that fail for a while only, such as those above the rate limit of a service.
#[derive(Clone)]
pub(super) struct Patience {
    stop: watch::Receiver<bool>,
    bar: ProgressBar,
}

impl Patience {
    /// Gives up once `stop` is true.
    pub(super) fn new(stop: watch::Receiver<bool>, bar: ProgressBar) -> Self {
        Self { stop, bar }
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// The result of the call, repeated while it fails with an error that passes.
    pub(super) async fn attempt<T>(&mut self, call: impl AsyncFn() -> Result<T, IdpError>) -> Result<T, Stopped> {
        let mut delays = DELAYS.into_iter();
        loop {
            if self.is_stopped() {
                return Err(Stopped::Interrupted);
            }
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(delay) = delays.next().filter(|_| passes(&error)) else { return Err(error.into()) };
            self.bar.suspend(|| output::note("waiting", &format!("{delay} s: {error}")));
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(delay)) => {}
                _ = self.stop.wait_for(|stop| *stop) => return Err(Stopped::Interrupted),
            }
        }
    }
}

/// Whether the same call can succeed later.
fn passes(error: &IdpError) -> bool {
    matches!(error.code(), Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded | Code::Aborted)
}
