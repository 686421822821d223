//! Batches: expectations checked, mutations applied in order, events appended.

use uuid::Uuid;

use super::scope::Scope;
use super::writer::Undo;
use super::{counters, events, factors, jobs, queues, tokens, users};
use crate::model::Version;
use crate::store::sql::parse_id;
use crate::store::{Batch, Committed, Expect, Mutation, StoreError, UserRef};

/// How a batch that fails is undone.
pub(super) fn undo(batch: &Batch) -> Undo {
    match &*batch.mutations {
        [] | [_] if !batch.events.is_empty() => Undo::Savepoint,
        [] => Undo::Statement,
        [mutation] if is_one_statement(mutation) => Undo::Statement,
        _ => Undo::Savepoint,
    }
}

/// Whether the mutation changes rows by one statement, and fails before it or in it.
fn is_one_statement(mutation: &Mutation) -> bool {
    match mutation {
        Mutation::CreateUser(_)
        | Mutation::UpdateUser { .. }
        | Mutation::DeleteUser { .. }
        | Mutation::TouchUser { .. }
        | Mutation::ReplaceHash { .. }
        | Mutation::PutFactor { .. }
        | Mutation::DeleteFactor { .. }
        | Mutation::PutResetToken { .. }
        | Mutation::DeleteResetToken { .. }
        | Mutation::EndJobs { .. }
        | Mutation::RequeueJobs { .. }
        | Mutation::DeleteJobs { .. }
        | Mutation::DiscardDead { .. }
        | Mutation::PruneJobs { .. }
        | Mutation::PruneEvents { .. }
        | Mutation::AddConsumer { .. }
        | Mutation::RemoveConsumer { .. }
        | Mutation::Count { .. }
        | Mutation::ResetCounter { .. }
        | Mutation::PruneCounters { .. } => true,
        // These may add a queue, and move jobs behind the retried ones.
        Mutation::Enqueue(_) | Mutation::RetryDead { .. } => false,
    }
}

/// Applies the batch. After an error the caller undoes it.
pub(super) fn apply(scope: Scope<'_>, batch: Batch) -> Result<Committed, StoreError> {
    let Batch { expect, mutations, events } = batch;
    let mut versions = vec![None; mutations.len()];
    for expectation in &expect {
        if !is_left_to_a_mutation(expectation, &mutations, &mut versions) && !holds(scope, expectation)? {
            return Err(StoreError::Conflict);
        }
    }
    let mut application = Application { scope, users: Vec::new(), committed: Committed::default() };
    application.committed.affected.reserve_exact(mutations.len());
    for (mutation, version) in mutations.into_iter().zip(versions) {
        let affected = application.apply(mutation, version)?;
        application.committed.affected.push(affected);
    }
    for event in events {
        let user_id = match &event.user {
            UserRef::Id(id) => id,
            UserRef::Created => &application.committed.created.last().ok_or(StoreError::Conflict)?.id,
        };
        events::append(scope, parse_id(user_id).ok_or(StoreError::Conflict)?, event.kind)?;
    }
    Ok(application.committed)
}

/// Lets the first mutation that changes the version of the user check it, in its own statement. `false` if there is none.
fn is_left_to_a_mutation(expectation: &Expect, mutations: &[Mutation], versions: &mut [Option<Version>]) -> bool {
    let Expect::User { id: expected, version } = expectation else { return false };
    let first = mutations.iter().position(|mutation| match mutation {
        Mutation::UpdateUser { id, .. } | Mutation::DeleteUser { id } | Mutation::TouchUser { id } => id == expected,
        _ => false,
    });
    match first.and_then(|index| versions.get_mut(index)) {
        Some(slot) if slot.is_none_or(|other| other == *version) => {
            *slot = Some(*version);
            true
        }
        _ => false,
    }
}

/// Whether an expectation holds. A malformed id is of no user.
fn holds(scope: Scope<'_>, expectation: &Expect) -> Result<bool, StoreError> {
    match expectation {
        Expect::User { id, version } => {
            let Some(id) = parse_id(id) else { return Ok(false) };
            Ok(users::version(scope, id)? == Some(*version))
        }
        Expect::Password { user_id, hash } => {
            let Some(user_id) = parse_id(user_id) else { return Ok(false) };
            users::has_password(scope, user_id, hash)
        }
        Expect::Factor { user_id, factor } => {
            let Some(user_id) = parse_id(user_id) else { return Ok(false) };
            factors::is_unchanged(scope, user_id, factor)
        }
        Expect::ResetToken { user_id, hash } => {
            let Some(user_id) = parse_id(user_id) else { return Ok(false) };
            tokens::is_current(scope, user_id, *hash)
        }
        Expect::Lease(lease) => jobs::is_leased(scope, lease),
        Expect::NewestJob { queue, user_id, id } => {
            let Some(user_id) = parse_id(user_id) else { return Ok(false) };
            Ok(jobs::newest_of_user(scope, queue, user_id)? == *id)
        }
    }
}

/// A batch that is being applied.
struct Application<'a> {
    scope: Scope<'a>,
    /// The users of the mutations so far.
    users: Vec<KnownUser>,
    committed: Committed,
}

/// A user who existed when the batch began, or whom it created.
struct KnownUser {
    id: Uuid,
    is_deleted: bool,
}

impl Application<'_> {
    fn apply(&mut self, mutation: Mutation, version: Option<Version>) -> Result<u64, StoreError> {
        let scope = self.scope;
        match mutation {
            Mutation::CreateUser(user) => {
                let user = users::create(scope, user)?;
                self.users.extend(parse_id(&user.id).map(|id| KnownUser { id, is_deleted: false }));
                self.committed.created.push(user);
                Ok(1)
            }
            Mutation::UpdateUser { id, patch } => self.change_user(&id, |id| users::update(scope, id, &patch, version)),
            Mutation::DeleteUser { id } => {
                let affected = self.change_user(&id, |id| users::delete(scope, id, version))?;
                let id = parse_id(&id);
                for user in self.users.iter_mut().filter(|user| Some(user.id) == id) {
                    user.is_deleted = true;
                }
                Ok(affected)
            }
            Mutation::TouchUser { id } => {
                let nothing = crate::store::UserPatch::default();
                self.change_user(&id, |id| users::update(scope, id, &nothing, version))
            }
            Mutation::ReplaceHash { user_id, hash } => {
                self.change_user(&user_id, |id| users::replace_hash(scope, id, &hash))
            }
            Mutation::PutFactor { user_id, factor } => factors::put(scope, self.existing(&user_id)?, factor),
            Mutation::DeleteFactor { user_id, factor_id } => factors::delete(scope, self.known(&user_id)?, &factor_id),
            Mutation::PutResetToken { user_id, hash, job_id, expires_at } => {
                match tokens::put(scope, self.existing(&user_id)?, hash, job_id, expires_at)? {
                    0 => Err(StoreError::Conflict),
                    affected => Ok(affected),
                }
            }
            Mutation::DeleteResetToken { user_id } => tokens::delete(scope, self.known(&user_id)?),
            Mutation::Enqueue(job) => jobs::enqueue_mail(scope, self.existing(&job.user_id)?, &job.payload),
            Mutation::EndJobs { queue, user_id, reason } => jobs::end(scope, &queue, self.known(&user_id)?, &reason),
            Mutation::RequeueJobs { queue, user_id } => jobs::requeue(scope, &queue, self.known(&user_id)?),
            Mutation::DeleteJobs { queue, user_id } => jobs::delete(scope, &queue, self.known(&user_id)?),
            Mutation::RetryDead { queue, job } => jobs::retry_dead(scope, &queue, job.as_ref()),
            Mutation::DiscardDead { queue, job } => jobs::discard_dead(scope, &queue, job.as_ref()),
            Mutation::PruneJobs { queue, finished_before, limit } => jobs::prune(scope, &queue, finished_before, limit),
            Mutation::PruneEvents { before, limit } => events::prune(scope, before, limit),
            Mutation::AddConsumer { name, start } => queues::add_consumer(scope, &name, start),
            Mutation::RemoveConsumer { name } => queues::remove_consumer(scope, &name),
            Mutation::Count { key, by, window, since } => {
                let (affected, counter) = counters::count(scope, &key, by, window, since)?;
                self.committed.counters.push(counter);
                Ok(affected)
            }
            Mutation::ResetCounter { key } => counters::reset(scope, &key),
            Mutation::PruneCounters { started_until } => counters::prune(scope, started_until),
        }
    }

    /// Changes the row of a user. A change of no row is a conflict.
    fn change_user(
        &mut self,
        id: &str,
        change: impl FnOnce(Uuid) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let id = parse_id(id).ok_or(StoreError::Conflict)?;
        match change(id)? {
            0 => Err(StoreError::Conflict),
            affected => {
                if !self.users.iter().any(|user| user.id == id) {
                    self.users.push(KnownUser { id, is_deleted: false });
                }
                Ok(affected)
            }
        }
    }

    /// The id of a user who exists.
    fn existing(&mut self, id: &str) -> Result<Uuid, StoreError> {
        let id = self.known(id)?;
        let is_deleted = self.users.iter().any(|user| user.id == id && user.is_deleted);
        if is_deleted { Err(StoreError::Conflict) } else { Ok(id) }
    }

    /// The id of a user who exists, or existed until a mutation of the batch.
    fn known(&mut self, id: &str) -> Result<Uuid, StoreError> {
        let id = parse_id(id).ok_or(StoreError::Conflict)?;
        if !self.users.iter().any(|user| user.id == id) {
            users::version(self.scope, id)?.ok_or(StoreError::Conflict)?;
            self.users.push(KnownUser { id, is_deleted: false });
        }
        Ok(id)
    }
}
