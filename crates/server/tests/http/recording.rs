//! Recordings that are not there.

use serde_json::json;
use uuid::Uuid;

use crate::server::Server;

#[tokio::test]
async fn a_recording_that_is_not_there_is_404_and_says_why() {
    let server = Server::start().await;
    let (plain, recorded) =
        (server.keep(json!({})).await, server.keep(json!({"recordingEnabled": true})).await);
    let live = server.create(json!({"recordingEnabled": true})).await;
    let unknown = Uuid::from_u128(1).to_string();
    for (call, status, detail) in [
        (plain.to_string(), 404, "the call was not recorded; create calls with \"recordingEnabled\": true"),
        (
            recorded.to_string(),
            404,
            "there is no recording of the call: nobody joined it, or it could not be written",
        ),
        (
            live["callId"].as_str().unwrap().to_owned(),
            425,
            "the call has not ended; its recording can be had when it has",
        ),
        (unknown.clone(), 404, "there is no such call"),
    ] {
        for path in ["recording".to_owned(), format!("stages/{unknown}/messages/0/audio")] {
            let answer = server.get(&format!("/api/calls/{call}/{path}")).await;
            assert_eq!(answer.detail(status), detail, "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn an_index_that_is_none_is_404() {
    let server = Server::start().await;
    let call = server.keep(json!({"recordingEnabled": true})).await;
    for index in ["x", "-1", "4294967296"] {
        let path = format!("/api/calls/{call}/stages/{call}/messages/{index}/audio");
        server.get(&path).await.detail(404);
    }
    server.stop().await;
}
