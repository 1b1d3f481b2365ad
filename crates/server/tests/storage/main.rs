//! The contract suite on every database there is, and what only a file can show: reopening, and being refused.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod contract;

use std::path::{Path, PathBuf};

use antiphon_server::storage::Storage;

macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $story() {
                    let directory = super::Directory::new();
                    let storage = super::open(&directory.0.join("antiphon.db")).await;
                    super::contract::$story(&storage).await;
                    storage.close().await;
                }
            )*
        }

        mod memory {
            $(
                #[tokio::test]
                async fn $story() {
                    super::contract::$story(&super::Storage::in_memory()).await;
                }
            )*
        }
    };
}

contract! {
    the_default_account_is_made_once,
    a_key_is_found_by_its_prefix_until_it_is_revoked_for_good,
    a_call_comes_back_as_it_was_kept,
    a_call_is_joined_once_and_ends_once,
    a_call_that_ended_cannot_be_joined,
    unfinished_calls_are_those_that_have_not_ended,
    a_list_is_walked_both_ways_without_a_gap_or_a_double,
    only_an_ended_call_of_the_account_is_deleted_with_all_it_left,
    messages_keep_their_order_and_are_chosen_by_stage,
    a_message_is_found_by_its_index_in_a_history,
    stages_come_back_in_order_and_go_with_their_call,
    events_are_chosen_by_severity,
    writers_at_the_same_time_lose_nothing,
    a_tool_comes_back_as_it_was_kept_and_only_to_its_account,
    tools_are_kept_up_to_a_number_all_or_none,
    a_tools_history_knows_its_calls_and_its_failures,
}

#[tokio::test]
async fn what_was_kept_is_there_after_reopening() {
    let directory = Directory::new();
    let path = directory.0.join("antiphon.db");
    let storage = open(&path).await;
    let call = contract::inserted(&storage, 1, contract::at(1)).await;
    storage.close().await;
    assert!(storage.check().await.is_err(), "a closed database says so");

    let storage = open(&path).await;
    assert_eq!(storage.calls.find(call.id).await.unwrap(), Some(call));
    storage.check().await.unwrap();
    storage.close().await;
}

#[tokio::test]
async fn what_is_only_in_memory_says_so_when_it_is_closed() {
    let storage = Storage::in_memory();
    storage.check().await.unwrap();
    storage.close().await;
    assert!(storage.check().await.is_err());
    assert!(storage.calls.unfinished().await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = Directory::new();
    let storage = open(&directory.0.join("antiphon.db")).await;
    contract::inserted(&storage, 1, contract::at(1)).await;
    let files: Vec<_> = std::fs::read_dir(&directory.0).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "the log lies beside it");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
    storage.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_by_name() {
    let directory = Directory::new();
    let path = directory.0.join("antiphon.db");
    std::fs::write(&path, "this is a text and not a database, and long enough to be taken for neither")
        .unwrap();
    let error = Storage::open_sqlite(&path).await.err().unwrap().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("storage.path"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_server_is_refused() {
    let directory = Directory::new();
    let path = directory.0.join("antiphon.db");
    open(&path).await.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let pool = sqlx::sqlite::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let error = Storage::open_sqlite(&path).await.err().unwrap().to_string();
    assert!(error.contains("newer server"), "{error}");
}

async fn open(path: &Path) -> Storage {
    Storage::open_sqlite(path).await.unwrap()
}

/// A directory of a test's own, removed after it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-storage-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
