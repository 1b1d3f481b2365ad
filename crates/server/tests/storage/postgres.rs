//! What only a database that several share can show: starting together, changing tables under load, hearing of each other, and being
//! refused.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use antiphon_api::CallId;
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    Attempt, CallFilter, CallKey, CallSort, Direction, MessageChoice, Severity, Storage, StoredCall,
    StoredEvent, Window,
};
use sqlx::{Connection as _, PgConnection};
use url::Url;

use crate::server::Database;
use crate::{catalog, contract, webhooks};

const NEWEST_FIRST: CallSort = CallSort { by: CallKey::Created, descending: true };

async fn open(database: &Database) -> Storage {
    Storage::open_postgres(&database.url(), 4).await.unwrap()
}

#[tokio::test]
async fn nodes_start_at_the_same_time_on_an_empty_database() {
    let database = Database::empty().await;
    let nodes = futures::future::join_all((0..4).map(|_| open(&database))).await;
    let call = contract::inserted(&nodes[0], 1, contract::at(1)).await;
    for node in nodes {
        assert_eq!(node.calls.find(call.id).await.unwrap().as_ref(), Some(&call));
        node.close().await;
        assert!(node.check().await.is_err(), "a closed database says so");
    }
}

/// A life of a call, by all that is kept of it.
async fn live(storage: &Storage, number: u128) -> Result<(), antiphon_server::storage::StorageError> {
    let account = contract::account(storage).await;
    let call = contract::call(storage, number, contract::at(1)).await;
    storage.calls.insert(&call).await?;
    storage.calls.mark_joined(call.id, contract::at(2), Some("web_1")).await?;
    storage
        .calls
        .append_messages(call.id, &[contract::message(0, 0, false, "hello")], Attempt::First)
        .await?;
    storage.calls.append_events(call.id, &[contract::event(Severity::Info, "noted")], Attempt::First).await?;
    storage.calls.mark_ended(call.id, contract::at(3), EndReason::HangUp).await?;
    let window = Window { after: None, direction: Direction::Forward, limit: 3 };
    storage.calls.find(call.id).await?.unwrap();
    storage.calls.messages(call.id, MessageChoice::InCall, window).await?;
    storage.calls.events(call.id, Severity::Debug, 3).await?;
    storage.tools.tools(account).await?;
    storage
        .agents
        .agents(
            account,
            None,
            antiphon_server::storage::AgentOrder::ByName,
            Window { after: None, direction: Direction::Forward, limit: 3 },
        )
        .await?;
    let sort = NEWEST_FIRST;
    let page = Window { after: None, direction: Direction::Forward, limit: 3 };
    storage.catalog.list(account, &CallFilter::default(), sort, page).await?;
    storage.endings.finish_ending(call.id, None, contract::at(4)).await?;
    Ok(())
}

/// What a release may do to the tables while nodes of the one before go on: every table gets a column, and the largest an index.
#[tokio::test]
async fn tables_change_while_a_node_of_the_release_before_goes_on() {
    let database = Database::with_tables().await;
    let storage = open(&database).await;
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_sqlx%'",
    )
    .fetch_all(&mut other)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");

    // The account has the same id each time it is made, which no two nodes would choose.
    let account = contract::account(&storage).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..3_u128)
        .map(|writer| {
            let (storage, stopped) = (storage.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut lives = 0;
                // Some lives at least after the change.
                let mut left = 5;
                while left > 0 {
                    live(&storage, writer * 1_000_000 + lives).await.unwrap();
                    lives += 1;
                    left -= u32::from(*stopped.borrow());
                }
                lives
            })
        })
        .collect();
    for table in &tables {
        let change = format!("ALTER TABLE {table} ADD COLUMN of_the_next_release BIGINT NOT NULL DEFAULT 0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut other).await.unwrap();
    }
    sqlx::raw_sql("CREATE INDEX CONCURRENTLY of_the_next_release ON calls (of_the_next_release)")
        .execute(&mut other)
        .await
        .unwrap();
    stop.send_replace(true);
    let mut lives = 0;
    for writer in writers {
        lives += writer.await.unwrap();
    }
    let count = storage.catalog.count(account, &CallFilter::default()).await.unwrap();
    assert_eq!(count.map(u128::from), Some(lives));
    other.close().await.unwrap();
    storage.close().await;
}

/// A statement that was prepared with all columns that a table then had fails for good once it gets another one.
#[test]
fn no_statement_reads_whatever_columns_there_are() {
    let storage = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage");
    let mut directories = vec![format!("{storage}/sql"), format!("{storage}/postgres")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path.to_str().unwrap().to_owned());
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for all in ["SELECT *", "RETURNING *", ".* FROM", ".*, "] {
                assert!(!text.contains(all), "{} has {all:?}: name the columns", path.display());
            }
        }
    }
    assert!(files > 20);
}

#[tokio::test]
async fn one_node_hears_what_another_one_has_to_do() {
    let database = Database::with_tables().await;
    let (here, there) = (open(&database).await, open(&database).await);
    let mut outbox = there.deliveries.outbox();
    outbox.borrow_and_update();
    let webhook = webhooks::webhook(&here, 1, 1).await;
    assert!(here.webhooks.insert_webhook(&webhook, 10).await.unwrap());
    contract::inserted(&here, 1, contract::at(1)).await;
    outbox.changed().await.unwrap();
    assert_eq!(there.deliveries.queues(false, 10).await.unwrap().len(), 1);
    here.close().await;
    there.close().await;
}

#[tokio::test]
async fn a_node_hears_again_after_its_connection_was_cut() {
    let database = Database::with_tables().await;
    let storage = open(&database).await;
    let mut outbox = storage.deliveries.outbox();
    outbox.borrow_and_update();
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut other)
    .await
    .unwrap();
    // Whatever was missed meanwhile is looked for.
    outbox.changed().await.unwrap();
    other.close().await.unwrap();
    storage.close().await;
}

#[tokio::test]
async fn a_nul_in_a_text_is_no_reason_to_lose_a_record() {
    let database = Database::with_tables().await;
    let storage = open(&database).await;
    let mut call = contract::call(&storage, 1, contract::at(1)).await;
    call.agent = Some(catalog::agent(1, "a\0b"));
    call.request.voice = Some("v\0w".to_owned());
    call.request.system_prompt = Some("s\0t".to_owned());
    call.request.metadata = Some([("k\0".to_owned(), "x\0y".to_owned())].into());
    storage.calls.insert(&call).await.unwrap();
    let found: StoredCall = storage.calls.find(call.id).await.unwrap().unwrap();
    assert_eq!(found.request, call.request, "JSON spells it out");
    assert_eq!(found.agent.unwrap().name, "a\u{fffd}b");

    let said = contract::message(0, 0, false, "m\0n");
    storage.calls.append_messages(call.id, std::slice::from_ref(&said), Attempt::First).await.unwrap();
    let all = Window { after: None, direction: Direction::Forward, limit: 9 };
    let messages = storage.calls.messages(call.id, MessageChoice::InCall, all).await.unwrap();
    assert_eq!(messages.items[0].1, said);
    let event = StoredEvent { kind: "test.nul".to_owned(), ..contract::event(Severity::Error, "e\0f") };
    storage.calls.append_events(call.id, &[event], Attempt::First).await.unwrap();
    assert_eq!(storage.calls.events(call.id, Severity::Debug, 9).await.unwrap()[0].text, "e\u{fffd}f");

    let by = async |filter: CallFilter| {
        let page = Window { after: None, direction: Direction::Forward, limit: 9 };
        let found = storage.catalog.list(call.account, &filter, NEWEST_FIRST, page).await.unwrap();
        found.items.iter().map(|call| call.id).collect::<Vec<CallId>>()
    };
    let search = |text: &str| CallFilter { search: Some(text.to_owned()), ..CallFilter::default() };
    assert_eq!(by(search("x\0y")).await, [call.id]);
    assert_eq!(by(search("\0")).await, [call.id]);
    let metadata = [("k\0".to_owned(), "x\0y".to_owned())].into();
    assert_eq!(by(CallFilter { metadata, ..CallFilter::default() }).await, [call.id]);
    storage.close().await;
}

/// What `open` says of an address that is changed a little.
async fn refusal(url: &str, change: impl FnOnce(&mut Url)) -> String {
    let mut url = Url::parse(url).unwrap();
    change(&mut url);
    let error = Storage::open_postgres(url.as_str(), 1).await.err().unwrap().to_string();
    assert!(!error.contains("wrongly-guessed") && !error.contains("antiphon:"), "{error}");
    error
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_what_to_do() {
    let database = Database::with_tables().await;
    let url = database.url();
    let wrong = refusal(&url, |url| url.set_password(Some("wrongly-guessed")).unwrap()).await;
    assert!(wrong.contains("check the user and the password in `storage.url`"), "{wrong}");
    let absent = refusal(&url, |url| url.set_path("no_such_database")).await;
    assert!(absent.contains("CREATE DATABASE") && absent.contains("no_such_database"), "{absent}");
    // Nothing listens there: the port is free once the listener is gone.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unreachable = refusal(&url, |url| url.set_port(Some(free)).unwrap()).await;
    assert!(unreachable.contains("check the host and the port in `storage.url`"), "{unreachable}");
    assert!(unreachable.contains(&format!("127.0.0.1:{free}")), "{unreachable}");
    let no_url = Storage::open_postgres("mysql://x", 1).await.err().unwrap().to_string();
    assert!(no_url.contains("postgres://USER:PASSWORD@HOST:PORT/DATABASE"), "{no_url}");

    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, '', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let newer = refusal(&url, |_| ()).await;
    assert!(newer.contains("newer server"), "{newer}");
}
