//! The contract of [`Store`]: one function for each behaviour, for every store.
//!
//! A store kept elsewhere implements [`Backend`] and names it in [`store_contract_tests!`](crate::store_contract_tests),
//! which makes a test of each behaviour. The crate of the tests needs this crate with the feature `store-contract`, and tokio
//! with `macros` and `rt-multi-thread`:
//!
//! ```
//! use std::sync::Arc;
//!
//! use tailor_idp_core::store::contract::Backend;
//! use tailor_idp_core::store::{Store, StoreError};
//! use tailor_idp_core::{Clock, NamespaceName};
//! # struct Database;
//! # impl Database {
//! #     fn create(_clock: Arc<dyn Clock>) -> Result<Self, StoreError> { unimplemented!() }
//! #     async fn namespace(&self, _name: &NamespaceName) -> Result<Arc<dyn Store>, StoreError> { unimplemented!() }
//! # }
//!
//! struct MyStore(Database);
//!
//! impl Backend for MyStore {
//!     async fn fresh(clock: Arc<dyn Clock>) -> Self {
//!         Self(Database::create(clock).expect("a new database can be created"))
//!     }
//!
//!     async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
//!         self.0.namespace(name).await.expect("a namespace can be created")
//!     }
//! }
//!
//! mod my_store {
//!     use super::MyStore;
//!
//!     tailor_idp_core::store_contract_tests!(MyStore);
//! }
//! # fn main() {}
//! ```
//!
//! The behaviours take ids for opaque texts that sort in creation order, and set the clock: a store must use no other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]
// The names of the behaviours are their documentation.
#![allow(missing_docs)]

mod fixture;
mod steps;

pub mod batches;
pub mod clocks;
pub mod commits;
pub mod concurrency;
pub mod consumers;
pub mod counters;
pub mod credentials;
pub mod deliveries;
pub mod events;
pub mod expectations;
pub mod factors;
pub mod imports;
pub mod job_mutations;
pub mod jobs;
pub mod leases;
pub mod listing;
pub mod lookup;
pub mod namespaces;
pub mod predicates;
pub mod reset_tokens;
pub mod users;
pub mod versions;

pub use fixture::{Backend, Fixture, ManualClock};

#[cfg(doc)]
use super::Store;

/// Makes a test of each behaviour in the [contract](crate::store::contract) for a [`Backend`](crate::store::contract::Backend).
///
/// The tests are in a module for each area, so that a name is for example `my_store::counters::count_does_not_go_below_zero`.
#[macro_export]
macro_rules! store_contract_tests {
    ($backend:ty) => {
        $crate::store_contract_tests! { @tests $backend;
            batches {
                mutations_apply_in_order
                commit_returns_created_users_and_affected_rows
                empty_batch_changes_nothing
                failed_batch_applies_nothing_when_an_expectation_fails
                failed_batch_applies_nothing_when_a_name_is_taken
                failed_batch_applies_nothing_when_a_user_is_unknown
                failed_batches_leave_concurrent_batches_unaffected
                mutations_of_unknown_users_conflict
                rows_can_be_deleted_after_their_user_in_the_same_batch
            }
            clocks {
                store_reads_the_clock_that_it_was_given
                all_assigned_times_are_by_the_clock
                ids_sort_in_creation_order_when_the_clock_is_set_back
                ids_are_not_given_again_when_the_clock_is_set_back
                event_ids_sort_in_commit_order_when_the_clock_is_set_back
            }
            commits {
                commits_change_with_each_kind_of_write
                commits_stay_when_nothing_is_written
                commits_wake_a_waiting_receiver
                commits_show_writes_of_other_handles
            }
            concurrency {
                one_of_many_inserts_of_a_name_succeeds
                one_of_many_renames_to_a_name_succeeds
                one_of_many_deletes_of_a_user_succeeds
                five_hundred_inserts_at_once_all_succeed
                changes_of_different_fields_at_once_all_succeed
                next_read_sees_a_write_that_has_returned
                dropped_writes_do_not_affect_others
                readers_and_writers_do_not_block_each_other
                tasks_on_many_threads_share_a_store
            }
            consumers {
                consumers_have_their_own_positions
                new_consumers_start_where_they_are_told
                adding_a_consumer_again_changes_nothing
                removing_a_consumer_invalidates_its_leases
                claim_fails_for_unknown_consumers
                event_log_counts_pending_and_dead_events
                consumers_of_other_namespaces_are_separate
            }
            counters {
                counters_start_at_zero
                counts_add_up_within_a_window
                counters_start_anew_when_the_window_has_ended
                counters_at_zero_start_a_new_window
                count_does_not_go_below_zero
                count_with_since_applies_to_that_window_only
                count_moves_the_window_to_now_when_the_clock_is_set_back
                counters_are_separate_by_scope_subject_and_namespace
                reset_counter_deletes_one_counter
                prune_counters_deletes_old_windows_only
                length_of_the_window_is_that_of_the_count
                counters_keep_their_order_in_reads_and_commits
                count_is_undone_when_the_batch_fails
                concurrent_counts_are_exact
            }
            credentials {
                credentials_contain_the_user_the_hash_and_all_factors
                replace_hash_with_expected_password_succeeds_once
                replace_hash_changes_nothing_else
                credentials_are_read_at_one_point_in_time
            }
            deliveries {
                claim_delivers_one_event_per_user_at_a_time
                claim_keeps_each_users_order_for_many_workers
                claim_without_a_lease_delivers_each_event_once
                failed_events_hold_up_their_user_only
                dead_events_let_later_ones_ahead
                dead_events_can_be_retried_and_discarded
                stale_event_leases_settle_nothing
                released_events_do_not_count_an_attempt
                lease_expectation_holds_for_events
            }
            events {
                events_are_appended_with_their_batch
                created_events_belong_to_the_last_created_user
                failed_batches_leave_no_event
                successful_batches_of_a_group_commit_leave_events
                events_are_read_from_a_position_and_by_id
                events_belong_to_one_namespace
                events_of_deleted_users_stay
                prune_events_deletes_old_acknowledged_events_only
                prune_events_deletes_at_most_the_limit
                prune_events_goes_by_the_time_of_the_event_after_the_clock_was_set_back
                prune_events_gets_past_any_number_of_dead_events
            }
            expectations {
                user_expectation_holds_for_the_current_version_only
                user_expectation_is_checked_with_each_kind_of_mutation
                user_expectation_conflicts_for_unknown_users
                password_expectation_holds_for_the_current_hash_only
                factor_expectation_holds_for_exact_values_only
                reset_token_expectation_holds_for_the_current_token_only
                lease_expectation_holds_while_the_lease_is_valid
                newest_job_expectation_holds_for_the_newest_job_only
                newest_job_expectation_gives_an_exact_limit
                all_expectations_of_a_batch_must_hold
                expectations_see_the_state_before_the_batch
            }
            factors {
                factors_count_once_they_are_confirmed
                factors_are_listed_oldest_first
                put_factor_replaces_all_values_of_the_same_id
                delete_factor_deletes_from_its_user_only
                one_of_many_uses_of_a_step_succeeds
                factor_secrets_keep_all_bytes
            }
            imports {
                import_adds_users_in_order
                import_skips_and_reports_taken_names
                import_of_the_same_batch_again_adds_nobody
                totals_are_exact_after_an_import
                import_publishes_events_for_added_users_only
                imports_and_single_writes_run_concurrently
                import_of_an_empty_batch_adds_nobody
                import_reports_progress_while_it_writes
                cancelled_import_adds_nobody
            }
            job_mutations {
                end_jobs_ends_unfinished_jobs_of_the_user
                requeue_jobs_makes_leased_jobs_due
                delete_jobs_deletes_finished_jobs_too
                retry_dead_queues_dead_jobs_again
                discard_dead_deletes_dead_jobs
                prune_jobs_deletes_jobs_that_finished_before
                prune_jobs_deletes_at_most_the_limit
                job_ids_are_not_reused
            }
            jobs {
                jobs_keep_their_payload_and_order
                jobs_are_filtered_by_id_user_and_state
                jobs_belong_to_one_namespace
                jobs_stay_when_their_user_is_deleted
                enqueue_conflicts_for_unknown_users
                job_payloads_keep_unusual_text
            }
            leases {
                claim_leases_due_jobs_oldest_first
                claim_leases_at_most_the_limit
                claim_finds_a_job_again_when_its_lease_is_over
                claim_reports_when_the_next_job_is_due
                one_of_many_claims_gets_a_job
                settle_done_deletes_or_keeps_the_job
                settle_retry_makes_the_job_due_later
                settle_released_does_not_count_the_attempt
                settle_dead_and_ended_finish_the_job
                settle_succeeds_after_the_lease_is_over_without_another_claim
                stale_leases_settle_nothing
                leases_are_bound_to_queue_and_job
            }
            listing {
                pages_of_every_size_contain_everyone_in_order
                last_page_has_no_more
                empty_namespace_has_one_empty_page
                walk_contains_users_who_stay_exactly_once
                walk_continues_after_a_deleted_user
                walk_beside_writers_contains_users_who_stay_exactly_once
                total_counts_all_matches_on_every_page
                filters_by_id_and_name_combine_with_and
                empty_filters_match_nobody
                unknown_and_malformed_filter_entries_match_nobody
                filtered_pages_of_every_size_contain_every_match_in_order
                filters_take_a_thousand_entries
                page_and_total_are_read_at_one_point_in_time
            }
            lookup {
                get_finds_users_by_id_and_by_name
                create_user_stores_the_given_fields
                get_finds_nobody_for_unknown_and_malformed_ids
                names_are_compared_byte_by_byte
                names_are_free_after_delete_and_rename
                ids_sort_in_creation_order
                names_keep_unusual_text
            }
            namespaces {
                namespaces_do_not_see_each_other
                namespaces_can_use_the_same_name
                mutations_do_not_reach_other_namespaces
                handles_of_one_namespace_see_the_same_rows
                seal_keys_are_random_and_permanent
            }
            predicates {
                listing_agrees_with_the_predicate_for_each_field
                listing_agrees_with_combined_predicates
                listing_agrees_with_predicates_on_unusual_text
                listing_of_everybody_and_nobody_is_exact
            }
            reset_tokens {
                reset_token_is_found_by_its_hash_expired_or_not
                new_reset_token_replaces_the_earlier_one
                delete_reset_token_deletes_the_users_token_only
                reset_token_is_deleted_with_its_job
                reset_token_is_deleted_with_its_user
                one_of_many_uses_of_a_reset_token_succeeds
                reset_tokens_belong_to_one_namespace
            }
            users {
                update_user_changes_each_field_separately
                update_user_changes_all_fields_at_once
                empty_patch_changes_no_field
                rename_to_a_taken_name_changes_nothing
                rename_to_the_own_name_succeeds
                delete_user_succeeds_once
                delete_user_deletes_factors_and_keeps_jobs
            }
            versions {
                update_and_touch_make_a_new_version
                hashes_factors_tokens_and_jobs_keep_the_version
                versions_are_consistent_in_all_reads
                concurrent_read_decide_commit_updates_are_not_lost
            }
        }
    };
    (@tests $backend:ty; $($area:ident { $($behaviour:ident)* })*) => {
        $(mod $area {
            #[allow(unused_imports, reason = "the backend may be named by a full path")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $behaviour() {
                    let fixture = $crate::store::contract::Fixture::<$backend>::fresh().await;
                    $crate::store::contract::$area::$behaviour(fixture).await;
                }
            )*
        })*
    };
}
