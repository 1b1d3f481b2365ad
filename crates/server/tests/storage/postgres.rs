//! What only a database that several share can show: starting together, changing tables under load, hearing of each other, and being
//! refused.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use antiphon_server::storage::Storage;

use crate::contract;
use crate::server::Database;

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
    database.remove().await;
}
