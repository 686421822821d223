//! Batches: rows locked, expectations checked, mutations applied in order, events appended.
//!
//! What belongs to a user changes only in transactions that hold the lock on the user's row, so expectations hold until the commit.

use uuid::Uuid;

use super::error::Failure;
use super::transaction::Scope;
use super::users::LockedUser;
use super::{counters, events, factors, jobs, queues, tokens, users};
use crate::store::sql::parse_id;
use crate::store::{Batch, Committed, Expect, Mutation, StoreError, UserPatch, UserRef};

/// Applies the batch. After an error the caller rolls back.
pub(super) async fn apply(scope: &Scope, batch: &Batch) -> Result<Committed, Failure> {
    let Batch { expect, mutations, events } = batch;
    let deletes = mutations.iter().any(|mutation| matches!(mutation, Mutation::DeleteUser { .. }));
    let locked = users::lock(scope, &users_of(batch), deletes).await?;
    for expectation in expect {
        if !holds(scope, expectation, &locked).await? {
            return Err(StoreError::Conflict.into());
        }
    }
    let users = locked.iter().map(|user| KnownUser { id: user.id, is_deleted: false }).collect();
    let mut application = Application { scope, users, added: 0, committed: Committed::default() };
    application.committed.affected.reserve_exact(mutations.len());
    for mutation in mutations {
        let affected = application.apply(mutation).await?;
        application.committed.affected.push(affected);
    }
    let Application { added, committed, .. } = application;
    for event in events {
        let user_id = match &event.user {
            UserRef::Id(id) => id,
            UserRef::Created => &committed.created.last().ok_or(StoreError::Conflict)?.id,
        };
        events::append(scope, parse_id(user_id).ok_or(StoreError::Conflict)?, event.kind).await?;
    }
    users::add_to_count(scope, added).await?;
    Ok(committed)
}

/// The users whose rows the batch depends on, but for those whom it creates. A malformed id is of no user.
fn users_of(batch: &Batch) -> Vec<Uuid> {
    let expected = batch.expect.iter().filter_map(|expectation| match expectation {
        Expect::User { id, .. } => Some(id),
        Expect::Password { user_id, .. }
        | Expect::Factor { user_id, .. }
        | Expect::ResetToken { user_id, .. }
        | Expect::NewestJob { user_id, .. } => Some(user_id),
        Expect::Lease(_) => None,
    });
    let changed = batch.mutations.iter().filter_map(|mutation| match mutation {
        Mutation::UpdateUser { id, .. } | Mutation::DeleteUser { id } | Mutation::TouchUser { id } => Some(id),
        Mutation::ReplaceHash { user_id, .. }
        | Mutation::PutFactor { user_id, .. }
        | Mutation::DeleteFactor { user_id, .. }
        | Mutation::PutResetToken { user_id, .. }
        | Mutation::DeleteResetToken { user_id }
        | Mutation::EndJobs { user_id, .. }
        | Mutation::RequeueJobs { user_id, .. }
        | Mutation::DeleteJobs { user_id, .. } => Some(user_id),
        Mutation::Enqueue(job) => Some(&job.user_id),
        Mutation::CreateUser(_)
        | Mutation::RetryDead { .. }
        | Mutation::DiscardDead { .. }
        | Mutation::PruneJobs { .. }
        | Mutation::PruneEvents { .. }
        | Mutation::AddConsumer { .. }
        | Mutation::RemoveConsumer { .. }
        | Mutation::Count { .. }
        | Mutation::ResetCounter { .. }
        | Mutation::PruneCounters { .. } => None,
    });
    // Events of one user are in the order of commits: see `events`.
    let published = batch.events.iter().filter_map(|event| match &event.user {
        UserRef::Id(id) => Some(id),
        UserRef::Created => None,
    });
    let mut ids: Vec<_> = expected.chain(changed).chain(published).filter_map(|id| parse_id(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether an expectation holds. A malformed id is of no user.
async fn holds(scope: &Scope, expectation: &Expect, locked: &[LockedUser]) -> Result<bool, Failure> {
    let find = |id: &str| {
        let id = parse_id(id)?;
        locked.iter().find(|user| user.id == id)
    };
    match expectation {
        Expect::User { id, version } => Ok(find(id).is_some_and(|user| user.version == *version)),
        Expect::Password { user_id, hash } => {
            Ok(find(user_id).is_some_and(|user| user.password_hash.as_deref() == Some(hash.as_str())))
        }
        Expect::Factor { user_id, factor } => match find(user_id) {
            Some(user) => factors::is_unchanged(scope, user.id, factor).await,
            None => Ok(false),
        },
        Expect::ResetToken { user_id, hash } => match find(user_id) {
            Some(user) => tokens::is_current(scope, user.id, *hash).await,
            None => Ok(false),
        },
        Expect::Lease(lease) => jobs::is_leased(scope, lease).await,
        // Jobs stay when their user is deleted.
        Expect::NewestJob { queue, user_id, id } => match parse_id(user_id) {
            Some(user_id) => Ok(jobs::newest_of_user(scope, queue, user_id).await? == *id),
            None => Ok(false),
        },
    }
}

/// A batch that is being applied.
struct Application<'a> {
    scope: &'a Scope,
    /// The users who existed when the batch began, and those whom it created so far.
    users: Vec<KnownUser>,
    /// The number of users created, less those deleted.
    added: i64,
    committed: Committed,
}

struct KnownUser {
    id: Uuid,
    is_deleted: bool,
}

impl Application<'_> {
    async fn apply(&mut self, mutation: &Mutation) -> Result<u64, Failure> {
        let scope = self.scope;
        match mutation {
            Mutation::CreateUser(user) => {
                let user = users::create(scope, user).await?;
                self.users.extend(parse_id(&user.id).map(|id| KnownUser { id, is_deleted: false }));
                self.committed.created.push(user);
                self.added += 1;
                Ok(1)
            }
            Mutation::UpdateUser { id, patch } => changed(users::update(scope, self.existing(id)?, patch).await?),
            Mutation::DeleteUser { id } => {
                let id = self.existing(id)?;
                let affected = changed(users::delete(scope, id).await?)?;
                for user in self.users.iter_mut().filter(|user| user.id == id) {
                    user.is_deleted = true;
                }
                self.added -= 1;
                Ok(affected)
            }
            Mutation::TouchUser { id } => {
                changed(users::update(scope, self.existing(id)?, &UserPatch::default()).await?)
            }
            Mutation::ReplaceHash { user_id, hash } => {
                changed(users::replace_hash(scope, self.existing(user_id)?, hash).await?)
            }
            Mutation::PutFactor { user_id, factor } => factors::put(scope, self.existing(user_id)?, factor).await,
            Mutation::DeleteFactor { user_id, factor_id } => {
                factors::delete(scope, self.known(user_id)?, factor_id).await
            }
            Mutation::PutResetToken { user_id, hash, job_id, expires_at } => {
                changed(tokens::put(scope, self.existing(user_id)?, *hash, *job_id, *expires_at).await?)
            }
            Mutation::DeleteResetToken { user_id } => tokens::delete(scope, self.known(user_id)?).await,
            Mutation::Enqueue(job) => jobs::enqueue_mail(scope, self.existing(&job.user_id)?, &job.payload).await,
            Mutation::EndJobs { queue, user_id, reason } => jobs::end(scope, queue, self.known(user_id)?, reason).await,
            Mutation::RequeueJobs { queue, user_id } => jobs::requeue(scope, queue, self.known(user_id)?).await,
            Mutation::DeleteJobs { queue, user_id } => jobs::delete(scope, queue, self.known(user_id)?).await,
            Mutation::RetryDead { queue, job } => jobs::retry_dead(scope, queue, job.as_ref()).await,
            Mutation::DiscardDead { queue, job } => jobs::discard_dead(scope, queue, job.as_ref()).await,
            Mutation::PruneJobs { queue, finished_before, limit } => {
                jobs::prune(scope, queue, *finished_before, *limit).await
            }
            Mutation::PruneEvents { before, limit } => events::prune(scope, *before, *limit).await,
            Mutation::AddConsumer { name, start } => queues::add_consumer(scope, name, *start).await,
            Mutation::RemoveConsumer { name } => queues::remove_consumer(scope, name).await,
            Mutation::Count { key, by, window, since } => {
                let (affected, counter) = counters::count(scope, key, *by, *window, *since).await?;
                self.committed.counters.push(counter);
                Ok(affected)
            }
            Mutation::ResetCounter { key } => counters::reset(scope, key).await,
            Mutation::PruneCounters { started_until } => counters::prune(scope, *started_until).await,
        }
    }

    /// The id of a user who exists.
    fn existing(&self, id: &str) -> Result<Uuid, StoreError> {
        let id = self.known(id)?;
        let is_deleted = self.users.iter().any(|user| user.id == id && user.is_deleted);
        if is_deleted { Err(StoreError::Conflict) } else { Ok(id) }
    }

    /// The id of a user who exists, or existed until a mutation of the batch.
    fn known(&self, id: &str) -> Result<Uuid, StoreError> {
        let id = parse_id(id).ok_or(StoreError::Conflict)?;
        if self.users.iter().any(|user| user.id == id) { Ok(id) } else { Err(StoreError::Conflict) }
    }
}

/// A change of no row is a conflict.
fn changed(affected: u64) -> Result<u64, Failure> {
    if affected == 0 { Err(StoreError::Conflict.into()) } else { Ok(affected) }
}
