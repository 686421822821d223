//! The contract of [`UserStore`]: every behaviour a test, for every store.
//!
//! A new store brings a [`Backend`] and a line `contract!(…)`.

mod concurrency;
mod cost;
mod credentials;
mod damage;
mod events;
mod factors;
mod factors_and_mails;
mod files;
mod imports;
mod listing;
mod lookup;
mod namespaces;
pub(crate) mod plain;
#[cfg(unix)]
mod refusals;
mod updates;

use tailor_idp::idp::UserQuery;
use tailor_idp::store::{NewUser, Page, PageRequest, Predicate, ResetMail, SqliteDatabase, UserKey, UserRecord};
use tempfile::TempDir;

use self::plain::{Plain, Store};
use crate::support::namespace;

/// A kind of store.
trait Backend {
    /// A fresh, empty database.
    fn fresh() -> Self;

    /// The users of one of its namespaces.
    async fn namespace(&self, name: &str) -> Store;

    /// The users of the namespace that most tests use.
    async fn users(&self) -> Store {
        self.namespace("users").await
    }
}

struct InMemory(SqliteDatabase);

impl Backend for InMemory {
    fn fresh() -> Self {
        Self(SqliteDatabase::in_memory().unwrap())
    }

    async fn namespace(&self, name: &str) -> Store {
        Plain::of(self.0.namespace(&namespace(name)).await.unwrap())
    }
}

struct OnDisk {
    database: SqliteDatabase,
    _folder: TempDir,
}

impl Backend for OnDisk {
    fn fresh() -> Self {
        let folder = TempDir::new().unwrap();
        Self { database: SqliteDatabase::open(folder.path().join("users.db")).unwrap(), _folder: folder }
    }

    async fn namespace(&self, name: &str) -> Store {
        Plain::of(self.database.namespace(&namespace(name)).await.unwrap())
    }
}

/// The tests of a backend: one for each behaviour in this list.
macro_rules! contract {
    ($backend:ident) => {
        contract! { $backend
            lookup {
                a_user_is_found_by_id_and_by_name
                a_new_user_is_as_it_was_asked_for
                an_id_that_is_unknown_or_malformed_finds_nobody
                a_name_is_taken_by_the_same_bytes_only
                a_name_is_free_again_when_its_user_is_deleted_or_renamed
                ids_sort_in_creation_order
                odd_texts_survive
            }
            updates {
                each_field_changes_by_itself
                all_fields_change_at_once
                an_empty_change_returns_the_user_as_it_is
                a_rename_to_a_taken_name_leaves_everything_as_it_was
                a_rename_to_the_own_name_succeeds
                nobody_is_changed_or_deleted_by_an_id_that_is_unknown_or_malformed
                a_password_set_or_cleared_and_disabling_end_the_users_reset_mails
                enabling_and_renaming_leave_reset_mails_alone
                a_user_is_deleted_once
                deleting_takes_factors_and_mails_along
            }
            credentials {
                a_credential_is_the_user_and_the_hash_that_was_given
                a_hash_is_replaced_only_if_it_is_still_the_one_that_was_verified
                a_stronger_hash_of_the_same_password_changes_nothing_else
            }
            factors {
                a_factor_counts_once_it_is_confirmed
                an_unconfirmed_factor_expires_and_gives_way_to_the_next
                a_step_is_used_once_and_none_before_it_afterwards
                of_many_uses_of_one_step_one_succeeds
                a_write_to_a_factor_that_its_check_refuses_changes_nothing
                a_factor_is_out_of_reach_by_another_user_namespace_or_id
            }
            factors_and_mails {
                factors_are_listed_oldest_first
                a_factor_is_removed_once_and_from_its_user_only
                nobody_gets_no_factor
                mails_are_queued_in_order_and_whole
                no_mail_is_queued_for_nobody
                odd_texts_survive_in_mails
            }
            listing {
                pages_of_every_size_show_everyone_in_order
                a_page_that_ends_with_the_last_user_is_the_last
                an_empty_namespace_has_one_empty_page
                a_walk_sees_everyone_who_was_there_throughout_once
                a_walk_goes_on_after_a_user_that_is_gone
                a_walk_beside_writers_sees_everyone_who_was_there_throughout_once
                the_total_counts_what_the_query_matches_whatever_the_page
                filters_by_ids_and_by_names_combine_with_and
                an_empty_filter_matches_nobody
                unknown_and_malformed_entries_of_a_filter_are_left_out
                filtered_pages_of_every_size_show_every_match_in_order
                a_filter_takes_a_thousand_entries
                the_page_and_its_total_are_of_one_moment
            }
            events {
                each_change_leaves_one_event
                what_changes_nothing_leaves_no_event
                a_write_that_is_refused_or_clashes_leaves_no_event
                of_writes_in_one_commit_those_that_succeed_leave_events
                events_are_read_from_a_position_and_of_one_namespace
                a_consumer_is_given_one_event_of_a_user_at_a_time
                consumers_have_positions_of_their_own
                a_new_consumer_begins_where_it_was_told
                an_event_that_fails_holds_up_its_user_only
                a_claim_is_void_when_its_lease_is_over_and_another_claimed
                a_released_claim_does_not_count
                an_event_that_was_given_up_lets_later_ones_ahead_and_is_retried_or_discarded
                many_workers_share_the_events_in_each_users_order
                pruning_leaves_what_somebody_has_not_acknowledged
                nobody_claims_for_a_consumer_that_is_not_there
            }
            imports {
                the_users_of_a_batch_are_as_they_were_given_in_its_order
                a_name_that_is_taken_is_skipped_and_reported_and_its_user_stays
                the_same_batch_once_more_adds_nobody
                after_an_import_users_are_counted_one_by_one_again
                an_imported_user_leaves_an_event_and_a_skipped_one_none
                imports_and_single_writes_get_through_side_by_side
                a_batch_of_nobody_adds_nobody
            }
            namespaces {
                one_namespace_does_not_see_another
                both_namespaces_can_have_a_user_of_one_name
                a_user_is_out_of_reach_from_another_namespace
                two_stores_of_one_namespace_see_the_same_users
                page_token_keys_are_the_databases_own
            }
            concurrency {
                of_many_inserts_of_one_name_one_succeeds
                of_many_renames_to_one_name_one_succeeds
                of_many_deletes_of_one_user_one_succeeds
                a_refused_write_takes_no_other_write_with_it
                five_hundred_inserts_at_once_are_all_there
                changes_to_different_fields_at_once_are_all_there
                a_write_that_has_returned_is_seen_by_the_next_read
                a_caller_that_stops_waiting_harms_nobody
                readers_and_writers_get_through_side_by_side
                tasks_on_many_threads_share_a_store
            }
        }
    };
    ($backend:ident $($area:ident { $($behaviour:ident)* })*) => {
        $(mod $area {
            use crate::store_contract::{$area as behaviours, $backend as Store, Backend as _};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $behaviour() {
                    behaviours::$behaviour(Store::fresh()).await;
                }
            )*
        })*
    };
}

mod in_memory {
    contract!(InMemory);
}

mod on_disk {
    contract!(OnDisk);
}

fn user(name: impl Into<String>) -> NewUser {
    NewUser { name: name.into(), password: None, disabled: false }
}

async fn insert(store: &Store, name: impl Into<String>) -> UserRecord {
    store.insert(user(name)).await.unwrap()
}

/// Inserts `{prefix}0`, `{prefix}1` and so on, one after the other.
async fn insert_many(store: &Store, prefix: &str, count: usize) -> Vec<UserRecord> {
    let mut users = Vec::new();
    for index in 0..count {
        users.push(insert(store, format!("{prefix}{index}")).await);
    }
    users
}

async fn by_id(store: &Store, id: &str) -> Option<UserRecord> {
    store.get(UserKey::Id(id)).await.unwrap()
}

async fn by_name(store: &Store, name: &str) -> Option<UserRecord> {
    store.get(UserKey::Name(name)).await.unwrap()
}

fn mail(user: &UserRecord, subject: &str) -> ResetMail {
    ResetMail {
        user_id: user.id.clone(),
        redirect_uri: "https://example.com/reset".into(),
        from_name: None,
        subject: Some(subject.into()),
    }
}

/// The subjects of the mails in the queue.
async fn subjects(store: &Store) -> Vec<String> {
    store.reset_mails().await.unwrap().into_iter().filter_map(|mail| mail.subject).collect()
}

async fn page(store: &Store, query: &UserQuery, after: Option<&str>, limit: u32) -> Page {
    let after = after.map(ToOwned::to_owned);
    store.list(PageRequest { query: query.clone(), visible: Predicate::everybody(), after, limit }).await.unwrap()
}

/// All pages, read to the end.
async fn walk(store: &Store, query: &UserQuery, limit: u32) -> Vec<Page> {
    let mut pages = vec![page(store, query, None, limit).await];
    while let Some(Page { users, more: true, .. }) = pages.last() {
        let cursor = users.last().expect("a page with users to follow has a last one").id.clone();
        pages.push(page(store, query, Some(&cursor), limit).await);
    }
    pages
}

/// Everyone, in the order of the listing.
async fn everyone(store: &Store) -> Vec<UserRecord> {
    walk(store, &UserQuery::default(), 1000).await.into_iter().flat_map(|page| page.users).collect()
}

async fn total(store: &Store) -> u64 {
    page(store, &UserQuery::default(), None, 1).await.total
}

fn names(users: &[UserRecord]) -> Vec<&str> {
    users.iter().map(|user| user.name.as_str()).collect()
}

/// Texts that no id of a user of the store's can be, whatever ids look like: unknown ones, and other spellings of
/// `id`.
fn no_ids_but(id: &str) -> Vec<String> {
    let mut others: Vec<String> = [
        "",
        " ",
        "ghost",
        "0",
        "\0",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0193c0de-0000-7000-8000-000000000000",
        "' OR 1=1 --",
        "%",
        "名前",
    ]
    .map(ToOwned::to_owned)
    .into();
    let spellings = [format!(" {id}"), format!("{id}\0"), format!("{{{id}}}"), format!("urn:uuid:{id}")];
    others.extend(spellings.into_iter().chain([id.to_uppercase(), id.replace('-', ""), id[..id.len() - 1].to_owned()]));
    others.retain(|other| other != id);
    others
}
