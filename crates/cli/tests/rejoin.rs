//! A connection that is cut under the SDK, in the middle of what the agent says, between it and a real server.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "support/app.rs"]
mod app;

use std::net::SocketAddr;
use std::time::Duration;

use antiphon_api::json::from_request;
use antiphon_api::realtime::{AgentState, ServerMessage};
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery};
use antiphon_client::realtime::{CloseReason, Event, Events, Options, Sender, connect};
use antiphon_client::rest::Client;
use antiphon_server::app::Running;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const TEXT: &str =
    "Once upon a time there was a baker, who had a very old oven. Every morning he lit it early.";

/// A way to a server that can be cut.
struct Line {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Line {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// A call in which the agent says the text, joined at this address.
async fn join(running: &Running, key: &str, at: SocketAddr) -> (Sender, Events) {
    let client = Client::builder().url(running.public_url().to_string()).key(key).build().unwrap();
    let request = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 16_000}},
        "firstSpeakerSettings": {"agent": {"text": TEXT}},
    });
    let request = from_request(request.to_string().as_bytes()).unwrap().value;
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await.unwrap();
    let url = call.join_url.unwrap().replace(&running.local_addr().to_string(), &at.to_string());
    connect(&url, &Options { rejoin: true, ..Options::default() }).await.unwrap()
}

/// What came until the agent listened: samples, transcripts, and what was said of a return.
#[derive(Default)]
struct Heard {
    samples: usize,
    words: Vec<String>,
    lost_ms: Option<u64>,
}

async fn listen(events: &mut Events, mut each: impl FnMut(&Heard)) -> Heard {
    let mut heard = Heard::default();
    loop {
        match events.next().await.unwrap() {
            Event::Audio(samples) => heard.samples += samples.len(),
            Event::Message(ServerMessage::Transcript(piece)) => heard.words.push(format!("{:?}", piece.text)),
            Event::Message(ServerMessage::Rejoined(rejoined)) => {
                assert_eq!(rejoined.lost_messages, 0);
                heard.lost_ms = Some(rejoined.lost_audio_ms);
            }
            Event::Message(ServerMessage::State(state)) if state.state == AgentState::Listening => {
                return heard;
            }
            Event::Message(_) => {}
            other @ (Event::Unreadable { .. } | Event::Closed(_)) => panic!("{other:?}"),
        }
        each(&heard);
    }
}

#[tokio::test]
async fn a_call_outlives_its_connection_and_nothing_of_it_is_lost_or_comes_twice() {
    let (running, _, key) =
        app::start("rejoin", |config| config.calls.rejoin_window = Duration::from_secs(30)).await;
    let line = Line::to(running.local_addr()).await;
    let (undisturbed, mut events) = join(&running, &key, running.local_addr()).await;
    let (sender, mut cut_events) = join(&running, &key, line.address).await;
    let mut cuts = [16_000, 40_000].into_iter().peekable();
    let (whole, heard) = tokio::join!(
        listen(&mut events, |_| {}),
        listen(&mut cut_events, |heard| {
            if cuts.next_if(|at| heard.samples >= *at).is_some() {
                line.cut();
            }
        })
    );
    assert_eq!(cuts.next(), None, "{} samples", heard.samples);
    assert_eq!((whole.lost_ms, heard.lost_ms.is_some()), (None, true));
    assert_eq!(heard.words, whole.words);
    // On a busy machine a loss may be noticed later than the client's buffer reaches.
    let missing = whole.samples - heard.samples;
    assert!(missing == 0 || heard.lost_ms.is_some_and(|lost| lost > 0), "{missing}");

    sender.user_text("Are you there?").await.unwrap();
    while !matches!(cut_events.next().await.unwrap(), Event::Audio(_)) {}
    undisturbed.close().await;
    sender.close().await;
    while !matches!(
        cut_events.next().await.unwrap(),
        Event::Closed(CloseReason::Ours | CloseReason::Normal { .. })
    ) {}
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_wait_is_not_asked_to() {
    let (running, _, key) = app::start("rejoin_off", |_| {}).await;
    let line = Line::to(running.local_addr()).await;
    let (_sender, mut events) = join(&running, &key, line.address).await;
    while !matches!(events.next().await.unwrap(), Event::Audio(_)) {}
    line.cut();
    let reason = loop {
        if let Event::Closed(reason) = events.next().await.unwrap() {
            break reason;
        }
    };
    assert!(matches!(reason, CloseReason::Lost { .. }), "{reason}");
    running.stop().await;
}
