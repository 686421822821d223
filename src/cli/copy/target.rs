//! The namespace that gets the users.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::sync::Arc;

use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use tailor_idp::idp::local::{LocalDirectory, StoredPassword};
use tailor_idp::idp::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, ImportError, ImportPassword, ImportUser, ListUsers,
    NameKind, PasswordHash, Router, Timestamp, User, UserKey, UserQuery, UserRecord,
};

use super::super::user_pages::{Patience, Stopped, StoredUser, UserPages};
use super::report::{Outcome, PasswordState, Report, Since};

/// The number of users who are looked up and created at a service at once. The service's `max_requests` holds besides.
const PARALLEL: usize = 16;

/// The maximum number of pages of a service that are read to know who is there: 100,000 users, and some megabytes.
const MAX_PAGES: u64 = 1000;

/// Copies users to a namespace.
pub(super) struct Target {
    idp: Router,
    from: CallContext,
    to: CallContext,
    /// The users, if they are in a store.
    local: Option<Arc<LocalDirectory>>,
    kind: NameKind,
    takes_passwords: bool,
    dry_run: bool,
    /// The users who are there, if the target is a service and they are few enough to be read first.
    there: Option<HashMap<String, There>>,
    /// The names that the rules have changed, and the names that they were. Two of them can become one.
    changed: HashMap<String, String>,
}

/// What a copy needs to know of a user who is there.
#[derive(Clone)]
struct There {
    name: String,
    disabled: bool,
    has_factors: bool,
    /// `None` if the users are at a service that does not tell.
    has_password: Option<bool>,
}

impl There {
    async fn of(user: User, local: Option<&LocalDirectory>) -> Result<Self, IdpError> {
        let User { id, name, disabled, created_at: _, mfa_enrolled: _, mfa_factor_ids } = user;
        let password = match local {
            Some(local) => local.stored_password(&id).await?,
            None => None,
        };
        let has_password = password.map(|password| password != StoredPassword::None);
        Ok(Self { name, disabled, has_factors: !mfa_factor_ids.is_empty(), has_password })
    }
}

/// A user to be copied.
struct Candidate {
    /// The name at the target.
    name: String,
    source: UserRecord,
    hash: Option<PasswordHash>,
    password: PasswordState,
}

impl Candidate {
    fn has_factors(&self) -> bool {
        !self.source.mfa_factor_ids.is_empty()
    }

    fn copied(&self) -> Outcome {
        Outcome::There { since: Since::Now, password: self.password, lacks_factors: self.has_factors() }
    }

    /// What becomes of a user whose name the target has.
    fn compared_with(&self, there: &There) -> Outcome {
        let since = match (self.source.disabled, there.disabled) {
            (true, false) => Since::BeforeDiffering("disabled where it comes from, and enabled there"),
            (false, true) => Since::BeforeDiffering("enabled where it comes from, and disabled there"),
            _ => Since::Before,
        };
        let password = match (self.password, there.has_password) {
            (PasswordState::None, _) => PasswordState::None,
            (_, Some(true)) => PasswordState::Kept,
            (PasswordState::Copied, Some(false)) => PasswordState::Missing,
            (PasswordState::Copied, None) => PasswordState::NotTold,
            // As after the copy that created the user.
            (state, _) => state,
        };
        Outcome::There { since, password, lacks_factors: self.has_factors() && !there.has_factors }
    }
}

impl Target {
    /// Reads who is there, where that takes fewer requests than looking up `total` users, if that is their number.
    pub(super) async fn open(
        idp: &Router,
        [from, to]: [&CallContext; 2],
        dry_run: bool,
        total: Option<u64>,
        patience: &mut Patience,
    ) -> Result<Self, Stopped> {
        let policy = &idp.directory(to.namespace.as_str())?.settings().user_auth_policy;
        let kind = policy.name_kind();
        let local = idp.local(to.namespace.as_str()).ok().cloned();
        let there = match local {
            Some(_) => None,
            None => read_all(idp, to, kind, total, patience).await?,
        };
        Ok(Self {
            kind,
            takes_passwords: !policy.disable_password_auth,
            local,
            there,
            idp: idp.clone(),
            from: from.clone(),
            to: to.clone(),
            dry_run,
            changed: HashMap::new(),
        })
    }

    /// Copies one page of users. Reports those who are done even if it fails.
    pub(super) async fn copy(
        &mut self,
        users: Vec<StoredUser>,
        patience: &Patience,
        bar: &ProgressBar,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let mut candidates = Vec::with_capacity(users.len());
        for user in users {
            let name = user.record.name.clone();
            match self.candidate(user, patience).await? {
                Ok(candidate) => candidates.push(candidate),
                Err(outcome) => {
                    report.add(name, outcome);
                    bar.inc(1);
                }
            }
        }
        match self.local.clone() {
            Some(local) => self.import(&local, candidates, patience, bar, report).await,
            None => self.create(candidates, patience, bar, report).await,
        }
    }

    /// The user as the rules of the target have it, or why the user cannot be there.
    async fn candidate(
        &mut self,
        user: StoredUser,
        patience: &Patience,
    ) -> Result<Result<Candidate, Outcome>, Stopped> {
        let StoredUser { record, password, has_password } = user;
        let idp = self.idp.clone();
        let directory = idp.directory(self.to.namespace.as_str())?;
        let name = match directory.check_new_user(&record.name, record.disabled) {
            Ok(name) => name,
            // Whoever is there already needs no right to be created.
            Err(error) => match self.found(&record.name, patience).await? {
                Some(there) => there.name,
                None => return Ok(Err(not_copied(&error))),
            },
        };
        if name != record.name
            && let Some(other) = self.other_with(&record, &name, patience).await?
        {
            let reason = format!("the name becomes {name}, as that of {other} does");
            return Ok(Err(Outcome::Failed(reason)));
        }
        let (hash, password) = match password {
            Some(StoredPassword::None) => (None, PasswordState::None),
            None if has_password == Some(false) => (None, PasswordState::None),
            None => (None, PasswordState::Unknown),
            Some(StoredPassword::Malformed) => (None, PasswordState::NotTaken),
            Some(StoredPassword::Hash(hash)) => {
                let is_taken = self.takes_passwords && (self.local.is_some() || directory.takes_hash(&hash));
                if is_taken { (Some(hash), PasswordState::Copied) } else { (None, PasswordState::NotTaken) }
            }
        };
        Ok(Ok(Candidate { name, source: record, hash, password }))
    }

    /// The name of another user of the source whose name becomes the same.
    async fn other_with(
        &mut self,
        record: &UserRecord,
        name: &str,
        patience: &Patience,
    ) -> Result<Option<String>, Stopped> {
        match self.changed.entry(name.to_owned()) {
            Entry::Occupied(first) if *first.get() != record.name => return Ok(Some(first.get().clone())),
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => drop(entry.insert(record.name.clone())),
        }
        let found = find(&self.idp, &self.from, name, &mut patience.clone()).await?;
        Ok(found.filter(|found| found.id != record.id).map(|found| found.name))
    }

    /// The user who is there with the name.
    async fn found(&self, name: &str, patience: &Patience) -> Result<Option<There>, Stopped> {
        match &self.there {
            Some(there) => Ok(there.get(&self.kind.normalize(name)).cloned()),
            None => self.looked_up(name, patience).await,
        }
    }

    /// The user who is there with the name, whom the target is asked for.
    async fn looked_up(&self, name: &str, patience: &Patience) -> Result<Option<There>, Stopped> {
        match find(&self.idp, &self.to, name, &mut patience.clone()).await? {
            Some(user) => Ok(Some(There::of(user, self.local.as_deref()).await?)),
            None => Ok(None),
        }
    }

    /// Creates a user at the service, unless the name is there.
    async fn create_one(&self, candidate: &Candidate, patience: &mut Patience) -> Result<Outcome, Stopped> {
        match self.found(&candidate.name, patience).await? {
            Some(there) => Ok(candidate.compared_with(&there)),
            None if self.dry_run => Ok(candidate.copied()),
            None => self.create_new(candidate, patience).await,
        }
    }

    /// Creates a user at the service.
    async fn create_new(&self, candidate: &Candidate, patience: &mut Patience) -> Result<Outcome, Stopped> {
        let directory = self.idp.directory(self.to.namespace.as_str())?;
        let attempts = Cell::new(0);
        let Candidate { name, source, hash, .. } = candidate;
        let created = patience.attempt(async || {
            attempts.set(attempts.get() + 1);
            match hash {
                Some(hash) => directory.create_with_hash(&self.to, name, source.disabled, hash).await,
                None => {
                    let user = CreateUser { name: name.clone(), password: None, disabled: source.disabled };
                    directory.create_user(&self.to, user).await
                }
            }
        });
        match created.await {
            Ok(_) => Ok(candidate.copied()),
            Err(Stopped::Failed(error)) if error.code() == Code::AlreadyExists => {
                let there = self.looked_up(name, patience).await?;
                Ok(match there.map(|there| candidate.compared_with(&there)) {
                    None => Outcome::Failed(told(&error)),
                    // An attempt whose answer was lost.
                    Some(Outcome::There { since: Since::Before, .. }) if attempts.get() > 1 => candidate.copied(),
                    Some(outcome) => outcome,
                })
            }
            Err(Stopped::Failed(error)) if concerns_one_user(error.code()) => Ok(not_copied(&error)),
            Err(stopped) => Err(stopped),
        }
    }

    /// Copies to a store, all users in one transaction.
    async fn import(
        &self,
        local: &LocalDirectory,
        candidates: Vec<Candidate>,
        patience: &Patience,
        bar: &ProgressBar,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let names = candidates.iter().map(|candidate| candidate.name.clone()).collect();
        let request = ListUsers { first: Some(1000), after: None, query: UserQuery { ids: None, names: Some(names) } };
        let mut there = HashMap::new();
        for user in self.idp.users(&self.to, request).await?.users {
            there.insert(self.kind.normalize(&user.name), There::of(user, Some(local)).await?);
        }
        let mut new = Vec::new();
        for candidate in candidates {
            match there.get(&candidate.name) {
                Some(user) => {
                    let outcome = candidate.compared_with(user);
                    report.add(candidate.source.name, outcome);
                    bar.inc(1);
                }
                None => new.push(candidate),
            }
        }
        while !new.is_empty() {
            let now = Timestamp::now();
            let batch = match local.import_batch(new.iter().map(|candidate| importable(candidate, now)).collect()) {
                Ok(batch) => batch,
                Err(ImportError::Invalid(mut faults)) => {
                    // From the end, so that positions stay right.
                    faults.sort_by_key(|fault| std::cmp::Reverse(fault.index));
                    for fault in faults {
                        report.add(new.remove(fault.index).source.name, Outcome::Failed(told(&fault.error)));
                        bar.inc(1);
                    }
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            if patience.is_stopped() {
                return Err(Stopped::Interrupted);
            }
            let mut skipped = Vec::new();
            if !self.dry_run {
                let imported = batch.import().await.map_err(failed)?;
                skipped = imported.skipped.into_iter().map(|skipped| skipped.index).collect();
            }
            for (index, candidate) in new.drain(..).enumerate() {
                // Somebody else created the user meanwhile.
                let there = match skipped.contains(&index) {
                    true => self.looked_up(&candidate.name, patience).await?,
                    false => None,
                };
                let outcome = there.map_or_else(|| candidate.copied(), |there| candidate.compared_with(&there));
                report.add(candidate.source.name, outcome);
                bar.inc(1);
            }
        }
        Ok(())
    }

    /// Copies to a service, several users at once.
    async fn create(
        &self,
        candidates: Vec<Candidate>,
        patience: &Patience,
        bar: &ProgressBar,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let stopping = Cell::new(false);
        let one = async |candidate: Candidate| {
            if stopping.get() {
                return Err(Stopped::Interrupted);
            }
            let outcome = self.create_one(&candidate, &mut patience.clone()).await;
            stopping.set(stopping.get() || outcome.is_err());
            Ok((candidate.source.name, outcome?))
        };
        let mut users = stream::iter(candidates).map(one).buffer_unordered(PARALLEL);
        // All of them: what is under way ends, and is reported.
        let mut stopped = None;
        while let Some(done) = users.next().await {
            match done {
                Ok((name, outcome)) => {
                    report.add(name, outcome);
                    bar.inc(1);
                }
                // A failure says more than the interruption that follows from it.
                Err(reason) => match stopped {
                    Some(Stopped::Failed(_)) => {}
                    _ => stopped = Some(reason),
                },
            }
        }
        stopped.map_or(Ok(()), Err)
    }
}

fn importable(candidate: &Candidate, now: Timestamp) -> ImportUser {
    ImportUser {
        name: candidate.name.clone(),
        password: candidate.hash.clone().map(ImportPassword::Hash),
        disabled: candidate.source.disabled,
        // The clock of a service can be ahead of ours.
        created_at: candidate.source.created_at.map(|time| time.min(now)),
    }
}

/// The users of a service by normalised name. `None` if it does not list all of them, or if that takes more requests than looking
/// up `total` users.
async fn read_all(
    idp: &Router,
    to: &CallContext,
    kind: NameKind,
    total: Option<u64>,
    patience: &mut Patience,
) -> Result<Option<HashMap<String, There>>, Stopped> {
    let mut there = HashMap::new();
    let mut pages = UserPages::new(idp, to);
    for _ in 0..total.unwrap_or(MAX_PAGES).min(MAX_PAGES) {
        match pages.next(false, patience).await {
            Ok(Some(users)) => there.extend(users.into_iter().map(|StoredUser { record, has_password, .. }| {
                let UserRecord { name, disabled, mfa_factor_ids, .. } = record;
                let has_factors = !mfa_factor_ids.is_empty();
                (kind.normalize(&name), There { name, disabled, has_factors, has_password })
            })),
            Ok(None) => return Ok(Some(there)),
            // Auth0 lists at most 1,000 users who were created at once.
            Err(Stopped::Failed(error)) if error.code() == Code::FailedPrecondition => return Ok(None),
            Err(stopped) => return Err(stopped),
        }
    }
    Ok(None)
}

/// The user with the name, in any namespace.
async fn find(
    idp: &Router,
    context: &CallContext,
    name: &str,
    patience: &mut Patience,
) -> Result<Option<User>, Stopped> {
    match patience.attempt(async || idp.user(context, UserKey::Name(name)).await).await {
        Ok(user) => Ok(Some(user)),
        Err(Stopped::Failed(error)) if error.code() == Code::NotFound => Ok(None),
        Err(stopped) => Err(stopped),
    }
}

/// Whether an error is about the user, rather than about the service or the credentials.
fn concerns_one_user(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented | Code::AlreadyExists | Code::Internal
    )
}

/// What becomes of a user for whom the target has this error.
fn not_copied(error: &IdpError) -> Outcome {
    match error.code() {
        Code::Unimplemented => Outcome::Skipped(told(error)),
        _ => Outcome::Failed(told(error)),
    }
}

/// The error for the host.
fn told(error: &IdpError) -> String {
    match error.source().filter(|_| error.code() == Code::Internal) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn failed(error: ImportError) -> Stopped {
    Stopped::Failed(match error {
        ImportError::Failed(error) => error,
        error => IdpError::new(Code::Internal, error.to_string()),
    })
}
