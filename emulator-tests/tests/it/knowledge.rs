//! Retrieval finds what it is to find, and nothing that is foreign, in both databases.

mod cases;
mod support;

macro_rules! retrieval {
    ($($case:ident)+) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::cases::$case(std::sync::Arc::new(shared::testing::MemoryDb::new())).await;
            })+
        }

        mod firestore {
            $(#[tokio::test]
            async fn $case() {
                let server = crate::document_db::start_firestore().await;
                let db = crate::document_db::connect(&server);
                super::cases::$case(std::sync::Arc::new(db)).await;
            })+
        }
    };
}

retrieval! {
    a_number_is_found_as_it_is
    a_search_reads_a_bounded_number_of_documents
    a_search_is_of_one_integration_if_it_is_to_be
    no_search_finds_what_is_foreign
    vectors_of_other_models_are_not_searched
    what_came_through_too_many_integrations_is_found_of_the_first
    what_both_lists_have_comes_first
    what_is_in_quotes_comes_first_and_alone_has_to_be_there
    what_was_closed_is_not_found_before_a_sync_says_so
}
