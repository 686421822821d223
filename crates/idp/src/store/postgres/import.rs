//! Import: many users in one transaction, by COPY into a temporary table.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use futures::{SinkExt, pin_mut};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::text::escape;
use super::transaction::Scope;
use super::{events, users};
use crate::model::PasswordHash;
use crate::store::sql::{FIRST_VERSION, report, version_value};
use crate::store::{ImportObserver, ImportProgress, Imported, NewUser, Skipped};

/// The number of users after which the observer is told the progress. The contract of stores.
const PROGRESS_EVERY: usize = 1000;

/// The size of the parts in which rows are sent, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The beginning of binary COPY data: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end of binary COPY data.
const COPY_TRAILER: i16 = -1;

/// Inserts the users whose names are free.
pub(super) async fn import(
    scope: &Scope,
    users: &Arc<Vec<NewUser>>,
    publish: bool,
    observer: &ImportObserver,
) -> Result<Imported, Failure> {
    let sql = "SELECT tailor_idp.id_at(tailor_idp.next_tick($1))";
    let first: Uuid = scope.connection.value(sql, &[(&scope.now_tick(), Type::INT8)]).await?;
    // The last 62 bits are random: an overflow does not occur in practice.
    let id = |index: usize| Uuid::from_u128(first.as_u128() + index as u128);
    copy(scope, users, id, observer).await?;

    // In the order of names: the index is written page by page, and two imports do not wait for each other in turn. Of those with
    // the same name, the first.
    let sql = "INSERT INTO tailor_idp.users (namespace_id, id, name, password_hash, disabled, created_at, version)
               SELECT $1, i.id, i.name, i.password_hash, i.disabled, i.created_at, $2 FROM (
                 SELECT DISTINCT ON (name) * FROM tailor_idp_import ORDER BY name, id
               ) AS i ORDER BY i.name
               ON CONFLICT (namespace_id, name) DO NOTHING";
    let version = version_value(FIRST_VERSION);
    let params: [Param<'_>; 2] = [(&scope.namespace_id, Type::INT4), (&version, Type::INT8)];
    let added = scope.connection.execute(sql, &params).await?;
    let skipped = if added == users.len() as u64 { Vec::new() } else { skipped(scope, users, first).await? };
    if publish {
        let ids = added_ids(users.len(), &skipped, first);
        events::append_created(scope, &ids).await?;
    }
    users::add_to_count(scope, added.cast_signed()).await?;
    report(observer, ImportProgress::Committing)?;
    Ok(Imported { count: added, skipped })
}

/// The ids of the users who were added.
fn added_ids(count: usize, skipped: &[Skipped], first: Uuid) -> Vec<Uuid> {
    let mut left_out = skipped.iter().map(|skipped| skipped.index).peekable();
    let is_added = |index: &usize| left_out.next_if_eq(index).is_none();
    (0..count).filter(is_added).map(|index| Uuid::from_u128(first.as_u128() + index as u128)).collect()
}

/// Copies the users into a temporary table, which lives until the end of the transaction.
async fn copy(
    scope: &Scope,
    users: &Arc<Vec<NewUser>>,
    id: impl Fn(usize) -> Uuid,
    observer: &ImportObserver,
) -> Result<(), Failure> {
    let sql = "CREATE TEMPORARY TABLE tailor_idp_import (
                 id uuid NOT NULL, name text COLLATE \"C\" NOT NULL, password_hash text, disabled boolean NOT NULL,
                 created_at bigint NOT NULL
               ) ON COMMIT DROP";
    scope.connection.script(sql, super::error::STATEMENT_TIMEOUT).await?;
    let sql = "COPY tailor_idp_import (id, name, password_hash, disabled, created_at) FROM STDIN (FORMAT binary)";
    let sink = scope.connection.copy_in(sql).await?;
    pin_mut!(sink);
    let mut rows = BytesMut::with_capacity(2 * CHUNK_BYTES);
    rows.extend_from_slice(COPY_HEADER);
    for (index, user) in users.iter().enumerate() {
        put_row(&mut rows, id(index), user, scope.now.unix_millis());
        if rows.len() >= CHUNK_BYTES {
            sink.send(rows.split().freeze()).await?;
        }
        let written = index + 1;
        if written % PROGRESS_EVERY == 0 || written == users.len() {
            report(observer, ImportProgress::Written(written))?;
        }
    }
    rows.put_i16(COPY_TRAILER);
    sink.send(rows.split().freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// Appends a row of the temporary table.
fn put_row(rows: &mut BytesMut, id: Uuid, user: &NewUser, now_millis: i64) {
    let NewUser { name, password, disabled, created_at } = user;
    let created_at = created_at.map_or(now_millis, |time| time.unix_millis());
    rows.put_i16(5);
    put_field(rows, id.as_bytes());
    put_field(rows, escape(name).as_bytes());
    match password.as_ref().map(PasswordHash::as_str) {
        Some(hash) => put_field(rows, hash.as_bytes()),
        None => rows.put_i32(-1),
    }
    put_field(rows, &[u8::from(*disabled)]);
    put_field(rows, &created_at.to_be_bytes());
}

fn put_field(rows: &mut BytesMut, bytes: &[u8]) {
    // The length of a name or a hash is far below 2 GiB.
    rows.put_i32(bytes.len() as i32);
    rows.extend_from_slice(bytes);
}

/// The users who were not added, in the order of the batch. The rows have ids from `first` on.
async fn skipped(scope: &Scope, users: &[NewUser], first: Uuid) -> Result<Vec<Skipped>, Failure> {
    let sql = "SELECT i.id FROM tailor_idp_import AS i
               WHERE NOT EXISTS (SELECT 1 FROM tailor_idp.users AS u WHERE u.namespace_id = $1 AND u.id = i.id)
               ORDER BY i.id";
    let mut skipped = Vec::new();
    for row in scope.connection.query(sql, &[(&scope.namespace_id, Type::INT4)]).await? {
        let index = row.try_get::<_, Uuid>(0)?.as_u128().wrapping_sub(first.as_u128());
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        skipped.extend(users.get(index).map(|user| Skipped { index, name: user.name.clone() }));
    }
    Ok(skipped)
}
