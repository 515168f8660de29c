//! One suite for both document databases: the fake is only worth something if it behaves as the
//! real one.

mod cases;
mod support;

pub(crate) use support::{PROJECT_ID, connect, connect_to, start_firestore};

macro_rules! conformance {
    ($($case:ident)+) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::cases::$case(&shared::testing::MemoryDb::new()).await;
            })+
        }

        mod firestore {
            $(#[tokio::test]
            async fn $case() {
                let server = super::start_firestore().await;
                super::cases::$case(&super::connect(&server)).await;
            })+
        }
    };
}

conformance! {
    a_commit_without_writes_is_fine
    a_cursor_goes_on_after_its_position
    a_count_is_of_what_a_query_finds
    a_deleted_document_can_be_created_again
    a_document_is_created_once
    a_document_exists_until_it_is_deleted
    a_failing_write_undoes_the_whole_commit
    a_field_path_reaches_into_a_map
    a_group_goes_on_after_a_path
    a_group_is_all_collections_of_one_name
    a_listing_by_id_is_in_the_order_of_bytes
    a_listing_leaves_out_documents_without_the_ordered_field
    a_merge_changes_only_its_fields
    a_missing_document_cannot_be_replaced_at_a_version
    a_range_in_the_order_of_ids_is_rejected
    a_search_finds_what_is_near_in_order
    a_search_goes_by_its_conditions_first
    a_search_goes_by_what_an_array_contains
    a_search_is_bounded_and_has_no_position
    a_stale_version_is_a_conflict
    a_subcollection_is_a_collection_of_its_own
    a_write_that_changes_nothing_keeps_the_version
    an_increment_adds_and_counts_from_zero
    an_array_of_numbers_is_no_vector
    an_increment_in_a_map_changes_nothing_else
    documents_of_equal_fields_are_ordered_by_id
    filters_compare_within_one_type
    filters_for_one_of_several_values_keep_the_order
    filters_look_into_arrays
    filters_must_all_hold
    increments_of_parallel_callers_all_count
    parallel_creators_make_one_document
    preconditions_guard_deletions
    timestamps_compare_to_the_microsecond
    unusual_ids_are_kept
    versioned_increments_of_parallel_callers_are_never_lost
    versions_rise_strictly
}

/// The fake has no limit of size: what a test writes is small.
#[tokio::test]
async fn firestore_refuses_a_document_over_1_mib() {
    let server = start_firestore().await;
    cases::a_document_over_1_mib_is_rejected(&connect(&server)).await;
}
