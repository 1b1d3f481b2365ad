//! A client that loses its connection and comes back: what it hears, what it is told again, and what time does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::realtime::ClientMessage;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_engine::output::EndReason;
use antiphon_server::call::Join;
use antiphon_server::call::leg::{CloseCode, Departure};
use antiphon_server::storage::Severity;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::client::{Client, Seen, bytes, settle, silence, tone};
use crate::stand::{Stand, backends, greeting, spoken, story};

const WINDOW: Duration = Duration::from_secs(30);

fn stand() -> Stand {
    Stand::waiting(backends(), |calls| calls.rejoin_window = WINDOW)
}

/// A call whose client would come back, and that client.
async fn call(stand: &Stand, fields: Value) -> (CallId, Client) {
    let call = stand.create(fields).await;
    let join = Join { rejoin: Some(Default::default()), ..Join::default() };
    (call, Client::new(stand.calls.join(call, join).await.unwrap()))
}

/// The client comes back, with what it has received.
async fn rejoin(stand: &Stand, call: CallId, client: &mut Client) {
    client.go_on(stand.calls.join(call, client.rejoins()).await.unwrap());
}

/// Takes all that comes until the agent listens again.
async fn until_quiet(client: &mut Client) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        let next = client.next().await;
        assert!(!matches!(next, Seen::Closed(_)), "{next:?}");
        let quiet = matches!(&next, Seen::Message(message) if message["state"] == "listening");
        seen.push(next);
        if quiet {
            return seen;
        }
    }
}

fn audio(seen: &[Seen]) -> Bytes {
    let pieces = seen.iter().filter_map(|seen| match seen {
        Seen::Audio(audio) => Some(audio.to_vec()),
        Seen::Closed(_) | Seen::Message(_) => None,
    });
    pieces.flatten().collect()
}

fn messages(seen: &[Seen]) -> Vec<&Value> {
    let messages = seen.iter().filter_map(|seen| match seen {
        Seen::Message(message) => Some(message),
        Seen::Closed(_) | Seen::Audio(_) => None,
    });
    messages.collect()
}

/// The words of the transcripts among what was seen, in order.
fn words(seen: &[Seen]) -> Vec<String> {
    let transcripts = messages(seen).into_iter().filter(|message| message["type"] == "transcript");
    transcripts.map(ToString::to_string).collect()
}

async fn kinds(stand: &Stand, call: CallId) -> Vec<String> {
    let events = stand.storage.calls.events(call, Severity::Info, 1_000).await.unwrap();
    events.into_iter().map(|event| event.kind).filter(|kind| kind.starts_with("call.")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_agent_goes_on_at_the_very_sample_however_often_the_connection_is_lost() {
    let text = story(Duration::from_secs(8));
    let fields = json!({"firstSpeakerSettings": greeting(&text)});
    let stand = stand();
    let (undisturbed, mut client) = call(&stand, fields.clone()).await;
    let whole = until_quiet(&mut client).await;
    client.hang_up();
    stand.ended(undisturbed).await;

    let (call, mut client) = call(&stand, fields).await;
    let began = Instant::now();
    let mut seen = Vec::new();
    for (after, away) in [(2_000, 10), (1_300, 29), (500, 0)] {
        sleep(Duration::from_millis(after)).await;
        seen.extend(client.take_all());
        // Two more frames are on the way, and get lost.
        sleep(Duration::from_millis(30)).await;
        client.leave(Departure::Lost).await;
        sleep(Duration::from_secs(away)).await;
        rejoin(&stand, call, &mut client).await;
        let Seen::Message(back) = client.next().await else { panic!("the first thing is a message") };
        assert_eq!(
            (&back["type"], &back["lostMessages"], &back["lostAudioMs"]),
            (&json!("rejoined"), &json!(0), &json!(0))
        );
    }
    seen.extend(until_quiet(&mut client).await);
    assert_eq!(audio(&seen), audio(&whole), "no sample is missing, and none comes twice");
    assert_eq!(words(&seen), words(&whole));
    let took = began.elapsed();
    let expected = spoken(&text) + Duration::from_secs(39);
    assert!(took.abs_diff(expected) < Duration::from_millis(500), "{took:?}");

    client.hang_up();
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert_eq!(stand.messages(call).await, [text]);
    let expected = ["call.dropped", "call.rejoined"].repeat(3);
    assert_eq!(kinds(&stand, call).await, expected);
    let stored = stand.stored(call).await;
    let lasted = stored.ended.unwrap().0.unix_micros() - stored.joined.unwrap().unix_micros();
    assert!(Duration::from_micros(lasted.unsigned_abs()).abs_diff(took) < Duration::from_secs(1), "{lasted}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_in_which_the_connection_was_lost_goes_on_when_it_is_back() {
    let stand = stand();
    let (call, mut client) = call(&stand, json!({})).await;
    client.until_state("listening").await;
    client.speak(&tone(Duration::from_millis(400))).await;
    client.leave(Departure::Silent).await;
    sleep(Duration::from_secs(20)).await;
    rejoin(&stand, call, &mut client).await;
    client.speak(&tone(Duration::from_millis(400))).await;
    client.speak(&silence(Duration::from_millis(1_500))).await;
    assert_eq!(client.until_final("user").await, "hello");
    assert_eq!(client.until_final("agent").await, "You said hello.");
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(stand.messages(call).await, ["hello", "You said hello."], "it was one turn");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_was_called_meanwhile_is_called_when_the_client_is_back() {
    let script = "pace: 0\nrules:\n  - when: [order]\n    call:\n      tool: lookup\n      arguments: {}\n  - after_tool: lookup\n    say: \"Found: {tool_result}.\"\ndefault:\n  say: Pardon?\n";
    let mut backends = backends();
    backends.models.insert(Arc::from("script"), Arc::new(Scripted::from_yaml(script).unwrap()));
    let stand = Stand::waiting(backends, |calls| calls.rejoin_window = WINDOW);
    let tool = json!({"modelToolName": "lookup", "description": "Looks up.", "client": {}});
    let (call, mut client) = call(&stand, json!({"selectedTools": [{"temporaryTool": tool}]})).await;
    client.until_state("listening").await;
    client.write("order").await;
    // The model is asked and calls the tool while nobody is there.
    client.leave(Departure::Lost).await;
    sleep(Duration::from_secs(25)).await;
    rejoin(&stand, call, &mut client).await;
    let invocation = client.until("the tool", |message| message["type"] == "client_tool_invocation").await;
    client.say(&json!({"type": "client_tool_result", "invocationId": invocation["invocationId"], "result": "bread"})).await;
    assert_eq!(client.until_final("agent").await, "Found: bread.");
    client.hang_up();
    stand.ended(call).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_away_has_hung_up_and_only_what_it_heard_was_said() {
    let stand = stand();
    for (departure, reason) in
        [(Departure::Lost, EndReason::HangUp), (Departure::Silent, EndReason::ConnectionError)]
    {
        let text = story(Duration::from_secs(20));
        let (call, mut client) = call(&stand, json!({"firstSpeakerSettings": greeting(&text)})).await;
        sleep(Duration::from_secs(4)).await;
        client.leave(departure).await;
        sleep(WINDOW - Duration::from_secs(1)).await;
        assert_eq!(stand.stored(call).await.ended, None);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(stand.ended(call).await, reason);
        let heard = &stand.messages(call).await[0];
        assert!(text.starts_with(heard.as_str()) && spoken(heard) < Duration::from_millis(4_200), "{heard}");
        assert_eq!(stand.calls.join(call, client.rejoins()).await.err(), Some(CloseCode::Ended));
        assert_eq!(kinds(&stand, call).await, ["call.dropped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_did_not_ask_for_it_or_says_goodbye_or_breaks_the_protocol_is_not_waited_for() {
    let stand = stand();
    let unasked = stand.create(json!({})).await;
    let mut client = stand.join(unasked).await;
    client.leave(Departure::Lost).await;
    assert_eq!(stand.ended(unasked).await, EndReason::HangUp);
    for (departure, reason) in
        [(Departure::HungUp, EndReason::HangUp), (Departure::Violated, EndReason::ConnectionError)]
    {
        let (call, mut client) = call(&stand, json!({})).await;
        client.leave(departure).await;
        assert_eq!(stand.ended(call).await, reason);
    }
    let off = Stand::new();
    let (call, mut client) = call(&off, json!({})).await;
    let started = client.until("the start", |message| message["type"] == "call_started").await;
    assert_eq!(started.get("rejoinWindow"), None);
    client.leave(Departure::Lost).await;
    assert_eq!(off.ended(call).await, EndReason::HangUp, "the server does not wait for anybody");
}

#[tokio::test(start_paused = true)]
async fn what_the_client_cannot_have_is_refused_and_it_may_try_again() {
    let stand = stand();
    let (call, mut client) = call(&stand, json!({"firstSpeakerSettings": greeting("Hello there.")})).await;
    let started = client.until("the start", |message| message["type"] == "call_started").await;
    assert_eq!(started["rejoinWindow"], "30s");
    client.leave(Departure::Lost).await;
    let mut wrong = client.rejoins();
    wrong.rejoin.as_mut().unwrap().messages = 1_000;
    assert_eq!(stand.calls.join(call, wrong).await.err(), Some(CloseCode::BadRequest));
    assert_eq!(
        stand.calls.join(call, Join::default()).await.err(),
        Some(CloseCode::InUse),
        "its place is kept"
    );
    rejoin(&stand, call, &mut client).await;
    assert_eq!(client.until_final("agent").await, "Hello there.");
    client.hang_up();
    stand.ended(call).await;
}

#[tokio::test(start_paused = true)]
async fn what_there_was_no_room_for_is_said_to_be_gone() {
    let stand = Stand::waiting(backends(), |calls| {
        calls.rejoin_window = WINDOW;
        calls.rejoin_buffer_bytes = 300;
    });
    let text = story(Duration::from_secs(8));
    let (call, mut client) = call(&stand, json!({"firstSpeakerSettings": greeting(&text)})).await;
    sleep(Duration::from_secs(3)).await;
    // It has taken nothing of what was sent.
    client.leave(Departure::Lost).await;
    rejoin(&stand, call, &mut client).await;
    let Seen::Message(back) = client.next().await else { panic!("the first thing is a message") };
    let (next, lost) = (back["nextMessage"].as_u64().unwrap(), back["lostMessages"].as_u64().unwrap());
    assert!(lost > 3 && next == lost + 1, "{back}");
    let lost_audio = back["lostAudioMs"].as_u64().unwrap();
    assert!((2_900..=3_000).contains(&lost_audio), "what counts as played: {back}");
    let rest = until_quiet(&mut client).await;
    assert!(
        words(&rest).last().unwrap().contains(text.split_once(' ').unwrap().1),
        "the final transcript has all"
    );
    let heard = audio(&rest).len() as u64 / 32 + lost_audio;
    let whole = u64::try_from(spoken(&text).as_millis()).unwrap();
    assert!(heard.abs_diff(whole) <= 1, "{heard} {whole}");
    client.hang_up();
    stand.ended(call).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_takes_the_place_of_its_connection_that_hangs() {
    let stand = stand();
    let text = story(Duration::from_secs(6));
    let (call, mut hanging) = call(&stand, json!({"firstSpeakerSettings": greeting(&text)})).await;
    sleep(Duration::from_secs(2)).await;
    let mut seen = hanging.take_all();
    let mut client = Client::new(stand.calls.join(call, hanging.rejoins()).await.unwrap());
    let rest = until_quiet(&mut client).await;
    assert_eq!(messages(&rest)[0]["type"], "rejoined");
    assert_eq!(hanging.until_closed().await, CloseCode::InUse);
    seen.extend(rest);
    assert_eq!(audio(&seen).len() as u128 / 32, spoken(&text).as_millis());
    client.hang_up();
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert_eq!(kinds(&stand, call).await, ["call.rejoined"]);
}

#[tokio::test(start_paused = true)]
async fn time_stands_while_nobody_is_there() {
    let stand = stand();
    let fields = json!({
        "inactivityMessages": [{"duration": "10s", "message": "Are you there?"}],
        "maxDuration": "40s",
    });
    let (call, mut client) = call(&stand, fields).await;
    client.until_state("listening").await;
    sleep(Duration::from_secs(6)).await;
    client.leave(Departure::Lost).await;
    sleep(Duration::from_secs(29)).await;
    rejoin(&stand, call, &mut client).await;
    sleep(Duration::from_secs(3)).await;
    settle().await;
    let early = words(&client.take_all());
    assert_eq!(early, Vec::<String>::new());
    assert_eq!(client.until_final("agent").await, "Are you there?");
    client.until_state("listening").await;
    client.write("yes").await;
    assert_eq!(
        client.until_final("agent").await,
        "You said yes.",
        "40 s have gone by, and no 40 s of the call"
    );
    client.hang_up();
    stand.ended(call).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_ended_while_its_client_is_away() {
    let stand = stand();
    let (call, mut client) = call(&stand, json!({})).await;
    client.until_state("listening").await;
    client.send_bytes(bytes(&silence(Duration::from_millis(20)))).await;
    client.leave(Departure::Lost).await;
    let hang_up = ClientMessage::parse(r#"{"type": "hang_up", "message": ""}"#).unwrap().value;
    stand.calls.request(call, hang_up).await.unwrap();
    assert_eq!(stand.ended(call).await, EndReason::AgentHangUp);
    assert_eq!(stand.calls.join(call, client.rejoins()).await.err(), Some(CloseCode::Ended));
}
