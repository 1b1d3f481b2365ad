//! The contract suite on every database there is, and what only a file can show: reopening, and being refused.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod accounts;
mod agents;
mod batches;
mod catalog;
mod cluster;
mod contract;
mod corpora;
mod postgres;
mod telephony;
mod throttles;
mod voices;
mod webhooks;

#[path = "../postgres/server.rs"]
mod server;

use std::path::{Path, PathBuf};

use antiphon_engine::output::EndReason;
use antiphon_server::storage::{CallFilter, CallKey, CallSort, Direction, Storage, Window};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;

macro_rules! contract {
    ($($part:ident: $($story:ident),* $(,)?;)*) => {
        mod on_sqlite {
            $($(
                #[tokio::test]
                async fn $story() {
                    let directory = super::Directory::new();
                    let storage = super::open(&directory.0.join("antiphon.db")).await;
                    super::$part::$story(&storage).await;
                    storage.close().await;
                }
            )*)*
        }

        mod on_postgres {
            $($(
                #[tokio::test]
                async fn $story() {
                    let database = super::server::Database::with_tables().await;
                    let storage = super::Storage::open_postgres(&database.url(), 8).await.unwrap();
                    super::$part::$story(&storage).await;
                    storage.close().await;
                }
            )*)*
        }

        mod in_memory {
            $($(
                #[tokio::test]
                async fn $story() {
                    super::$part::$story(&super::Storage::in_memory()).await;
                }
            )*)*
        }
    };
}

contract! {
    contract:
    the_default_account_is_made_once,
    a_call_comes_back_as_it_was_kept,
    a_call_is_joined_once_and_ends_once,
    a_call_that_ended_cannot_be_joined,
    unfinished_calls_are_those_that_have_not_ended,
    only_an_ended_call_of_the_account_is_deleted_with_all_it_left,
    messages_keep_their_order_and_are_chosen_by_stage,
    what_may_have_been_written_is_not_written_once_more,
    records_of_several_calls_are_written_together_or_not_at_all,
    a_message_is_found_by_its_index_in_a_history,
    stages_come_back_in_order_and_go_with_their_call,
    events_are_chosen_by_severity,
    writers_at_the_same_time_lose_nothing,
    a_tool_comes_back_as_it_was_kept_and_only_to_its_account,
    tools_are_kept_up_to_a_number_all_or_none,
    a_tools_history_knows_its_calls_and_its_failures;
    accounts:
    accounts_are_made_once_and_found_by_their_names,
    a_key_is_found_by_its_prefix_until_it_is_revoked_for_good,
    a_key_expires,
    keys_are_walked_newest_first_and_only_by_their_account,
    of_nodes_that_find_no_key_one_makes_one,
    the_last_valid_key_stays_unless_there_is_another_way_in,
    keys_for_providers_are_set_and_removed_one_by_one;
    agents:
    an_agent_comes_back_as_it_was_kept_and_only_to_its_account,
    agents_are_searched_by_name_and_walked_in_every_order,
    a_change_publishes_a_revision_unless_another_one_came_first,
    an_agents_calls_are_counted_and_outlive_it;
    catalog:
    calls_are_walked_both_ways_in_every_order_without_a_gap_or_a_double,
    what_a_filter_lets_through_is_what_fits,
    no_account_sees_anything_of_another_one,
    events_are_chosen_by_severity_and_type_and_walked_both_ways,
    a_deleted_call_leaves_a_tombstone_and_nothing_of_what_was_in_it,
    calls_are_summed_up_by_hour_and_by_agent,
    sums_follow_every_change_of_a_call,
    deleted_calls_are_found_by_no_text_any_more,
    counts_end_where_they_are_many_and_pages_do_not,
    a_text_that_many_calls_have_is_found_in_every_order,
    deleted_calls_are_found_by_any_part_of_their_ids,
    spans_are_those_that_touch_a_period;
    batches:
    a_batch_comes_back_as_it_was_kept_and_only_to_its_agent,
    a_call_of_a_batch_is_created_once_in_one_go_with_the_note_of_it,
    what_a_throttle_refuses_stays_scheduled,
    calls_are_counted_by_what_they_came_to_and_then_the_batch_is_over,
    what_is_due_comes_in_turn_and_what_is_paused_never,
    a_long_batch_is_walked_both_ways_without_a_gap_or_a_double;
    corpora:
    a_corpus_comes_back_as_it_was_kept_and_only_to_its_account,
    corpora_sources_and_documents_are_walked_both_ways,
    there_are_as_many_corpora_sources_and_uploads_as_there_may_be,
    a_file_comes_to_its_upload_and_goes_with_its_corpus,
    a_source_is_loaded_as_it_was_when_the_loading_began_or_not_at_all,
    a_document_takes_the_place_of_what_it_was_before,
    passages_are_scored_by_their_words_as_it_is_written,
    common_words_of_a_large_corpus_count_where_rarer_ones_find,
    passages_are_found_by_their_meaning_too,
    a_long_document_is_seen_as_a_whole_or_not_at_all,
    what_is_deleted_is_found_no_more;
    telephony:
    sip_settings_change_unless_another_change_came_first,
    registrations_are_kept_changed_and_deleted_by_their_account,
    each_provider_has_settings_of_its_own;
    throttles:
    a_throttle_comes_back_as_it_was_kept_and_only_to_its_account,
    throttles_have_names_of_their_own_and_are_bounded,
    a_window_slides_and_the_oldest_call_makes_room,
    what_was_counted_counts_however_calls_and_rules_change,
    of_calls_at_once_only_so_many_pass;
    voices:
    a_voice_comes_back_as_it_was_kept_and_only_to_its_account,
    a_voices_name_is_its_own_within_the_account,
    of_two_changes_of_a_voice_the_second_is_told_that_it_comes_too_late,
    an_account_has_a_bounded_number_of_voices_and_of_recordings;
    webhooks:
    a_webhook_comes_back_as_it_was_kept_and_only_its_account_changes_it,
    webhooks_are_walked_both_ways_and_chosen_by_agent,
    everybody_who_wants_to_know_is_told_and_nobody_else,
    of_a_call_one_thing_is_told_after_the_other,
    the_end_of_a_call_is_held_until_it_is_summed_up_or_too_late,
    a_call_that_asks_for_it_can_be_deleted_when_everybody_has_been_told,
    deliveries_are_listed_with_their_attempts_and_health_follows_them,
    deleting_a_call_cancels_what_waits_of_it,
    of_each_webhook_the_latest_thousand_deliveries_are_remembered;
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
    let options = SqliteConnectOptions::new().filename(&path);
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

/// The migrations of the first servers, which kept nothing yet that lists are found by.
const FIRST_MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "calls", include_str!("../../migrations/sqlite/0001_calls.sql")),
    (2, "tools", include_str!("../../migrations/sqlite/0002_tools.sql")),
    (3, "stages", include_str!("../../migrations/sqlite/0003_stages.sql")),
    (4, "agents", include_str!("../../migrations/sqlite/0004_agents.sql")),
];

#[tokio::test]
async fn what_lists_are_found_by_is_made_for_calls_that_an_older_server_kept() {
    let directory = Directory::new();
    let (new, old) = (directory.0.join("new.db"), directory.0.join("old.db"));
    let storage = open(&new).await;
    let mut agent = None;
    for number in 1..=3_i64 {
        let id = number.unsigned_abs().into();
        let mut call = contract::call(&storage, id, contract::at(10 * number)).await;
        let metadata =
            [("customer", "Jane \"J\" Doe"), ("line", "a\nb\u{1f}c/d"), ("empty", ""), ("name", "王芳")];
        call.request.metadata = Some(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        if number == 1 {
            call.request.voice = Some("Mark".to_owned());
            agent = Some(catalog::agent(1, "Support"));
        }
        call.agent = agent.take();
        storage.calls.insert(&call).await.unwrap();
        if number != 2 {
            let joined = contract::at(10 * number + 1);
            storage.calls.mark_joined(call.id, joined, None).await.unwrap();
            let ended = contract::at(10 * number + 9 - number);
            storage.calls.mark_ended(call.id, ended, EndReason::SystemError).await.unwrap();
        }
        if number == 3 {
            storage.calls.delete(call.account, call.id, contract::at(99)).await.unwrap();
        }
    }
    storage.close().await;
    let new = sqlx::SqlitePool::connect_with(SqliteConnectOptions::new().filename(&new)).await.unwrap();
    let expected = found_by(&new).await;
    assert!(expected.iter().all(|rows| !rows.is_empty()), "{expected:?}");

    let pool = sqlx::SqlitePool::connect_with(
        SqliteConnectOptions::new().filename(&old).create_if_missing(true).foreign_keys(false),
    )
    .await
    .unwrap();
    let migrations = FIRST_MIGRATIONS.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.into()).run(&pool).await.unwrap();
    let calls = "id, account_id, created_us, joined_us, ended_us, end_reason, client_version, greeting_prompt, \
                 recording_enabled, request, agent_id, agent_name, agent_revision_id";
    let stones =
        "call_id, account_id, created_us, joined_us, ended_us, end_reason, recording_enabled, deleted_us";
    let path = directory.0.join("new.db");
    let copy = format!(
        "ATTACH '{}' AS new; INSERT INTO accounts SELECT id, name, created_us FROM new.accounts; \
         INSERT INTO calls ({calls}) SELECT {calls} FROM new.calls; \
         INSERT INTO tombstones ({stones}) SELECT {stones} FROM new.tombstones; DETACH new",
        path.display()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
    pool.close().await;
    new.close().await;

    open(&old).await.close().await;
    let old = sqlx::SqlitePool::connect_with(SqliteConnectOptions::new().filename(&old)).await.unwrap();
    assert_eq!(found_by(&old).await, expected);
    old.close().await;
}

#[tokio::test]
async fn calls_that_are_farther_between_than_those_with_a_text_are_asked_for_it() {
    let directory = Directory::new();
    let path = directory.0.join("antiphon.db");
    let storage = open(&path).await;
    let mut fitting = Vec::new();
    let mut keep = async |numbers: std::ops::Range<i64>| {
        for number in numbers {
            let id = number.unsigned_abs().into();
            let mut call = contract::call(&storage, id, contract::at(number)).await;
            let is_gold = number <= MANY + 10 || number % 2 == 0;
            call.request.metadata = is_gold.then(|| [("tier".to_owned(), "gold".to_owned())].into());
            call.request.voice = (number > 20).then(|| "Mark".to_owned());
            storage.calls.insert(&call).await.unwrap();
            if is_gold && number > 20 {
                fitting.push(call.id);
            }
        }
    };
    // Many have the text one behind the other. As many have the voice, but only with calls that came after many others.
    const MANY: i64 = antiphon_server::storage::catalog::MANY as i64;
    keep(1..MANY + 10).await;
    let pool = sqlx::SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::query("UPDATE accounts SET calls_made = calls_made + 50000").execute(&pool).await.unwrap();
    pool.close().await;
    keep(MANY + 10..MANY + 40).await;

    let account = contract::account(&storage).await;
    let filter = CallFilter {
        search: Some("gold".to_owned()),
        voices: Some(vec![Some("Mark".to_owned())]),
        ..CallFilter::default()
    };
    assert_eq!(storage.catalog.count(account, &filter).await.unwrap(), None, "many have each of it");
    let sort = CallSort { by: CallKey::Created, descending: true };
    let window = Window { after: None, direction: Direction::Forward, limit: 40 };
    let slice = storage.catalog.list(account, &filter, sort, window).await.unwrap();
    let found: Vec<_> = slice.items.iter().map(|call| call.id).collect();
    fitting.reverse();
    assert_eq!(found, fitting[..40]);
    storage.close().await;
}

/// What lists are found by, as texts.
async fn found_by(pool: &sqlx::SqlitePool) -> Vec<Vec<String>> {
    let mut connection = pool.acquire().await.unwrap();
    for index in ["words", "letters"] {
        let sql =
            format!("CREATE VIRTUAL TABLE temp.kept_{index} USING fts5vocab(main, call_{index}, 'row')");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    }
    let mut all = Vec::new();
    for sql in [
        "SELECT json_array(number, calls, calls_made, longest_us) FROM accounts",
        "SELECT json_array(number, account, hex(id), hex(agent), voice, created_us, joined_us, ended_us, duration_us, failed) \
         FROM call_heads ORDER BY number",
        "SELECT json_array(number, words) FROM call_texts ORDER BY number",
        "SELECT json_array(account_id, fact, number) FROM call_facts ORDER BY number, fact",
        "SELECT json_array(hour, agent_id, agent_name, calls, failed, joined, duration_us, billed) FROM call_hours \
         ORDER BY hour, agent_id",
        "SELECT json_array(term, doc) FROM temp.kept_words ORDER BY term",
        "SELECT json_array(term, doc) FROM temp.kept_letters ORDER BY term",
    ] {
        all.push(sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap());
    }
    all
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
