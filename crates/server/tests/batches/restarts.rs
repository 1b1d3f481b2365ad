//! Processes that end in between: no call is lost, and none is created or told twice.

use std::collections::BTreeSet;

use antiphon_api::BatchId;
use antiphon_api::rest::calls::{CallMedium, OutgoingPhoneCall, PhoneMedium, StartCallRequest};
use antiphon_server::storage::{Admission, CallAgent, ScheduledPlace, StoredCall, Terms};

use crate::stand::{HOST, Stand, between, seconds_in, telling, under};
use crate::town::{Manner, hours, seconds};

const CUT_OFF: &str = "the server stopped before the webhook answered";

#[tokio::test(start_paused = true)]
async fn a_crash_while_a_webhook_is_told_leaves_one_call_in_doubt_and_the_rest_to_the_next_process() {
    let mut stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Slow(seconds(5)));
    let batch = stand.batch_of_many(between(None, None), 4).await;
    stand.town.until(seconds(7)).await;
    assert_eq!(stand.letters(batch).await, "SPFF");
    stand.crash().await;
    stand.town.until(hours(1)).await;
    assert_eq!(stand.letters(batch).await, "SPFF", "nobody is there");
    stand.start();
    stand.town.until(hours(2)).await;
    assert_eq!(stand.letters(batch).await, "SESS");
    assert_eq!(stand.error(batch, 1).await, CUT_OFF);
    assert_eq!(stand.told(HOST), [0, 5, 3_600, 3_605], "what was told is not told again");
    let over = stand.kept(batch).await;
    assert_eq!((over.completed, over.ended.map(seconds_in)), (4, Some(3_610)));
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_was_told_whatever_became_of_the_answer() {
    let mut stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Hangs);
    let batch = stand.batch_of_many(between(None, None), 1).await;
    stand.town.until(seconds(1)).await;
    let call = stand.created(batch).await.remove(0).1;
    let _client = stand.join(&call).await;
    stand.town.until(seconds(2)).await;
    stand.crash().await;
    stand.start();
    stand.town.until(seconds(3)).await;
    assert_eq!(stand.letters(batch).await, "S");
    assert!(stand.kept(batch).await.ended.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_nobody_has_to_know_is_in_no_doubt() {
    let mut stand = Stand::new().await;
    stand.crash().await;
    let phone = OutgoingPhoneCall {
        to: "+15550001".to_owned(),
        from: "+15550002".to_owned(),
        additional_params: None,
    };
    let dialled = CallMedium::Twilio(PhoneMedium { outgoing: Some(phone), dtmf_handling: None });
    // One batch dials only; the other one has calls of both kinds.
    let quiet = antiphon_api::rest::scheduled_batches::BatchSettings::default();
    let only = stand.batch_of_many(quiet, 1).await;
    let mixed = stand.batch_of_many(between(None, None), 2).await;
    for (batch, position, medium) in
        [(only, 0, Some(dialled.clone())), (mixed, 0, Some(dialled)), (mixed, 1, None)]
    {
        create(&stand, batch, position, medium).await;
    }
    stand.start();
    stand.town.until(seconds(1)).await;
    assert_eq!([stand.letters(only).await, stand.letters(mixed).await], ["S", "SE"]);
    assert!(stand.told(HOST).is_empty());
}

/// What a process has done that ended before it noted more.
async fn create(stand: &Stand, batch: BatchId, position: u32, medium: Option<CallMedium>) {
    let agent = &stand.agent;
    let call = StoredCall {
        id: antiphon_api::CallId::new(uuid::Uuid::new_v4()),
        account: agent.account,
        created: stand.town.now(),
        joined: None,
        ended: None,
        client_version: None,
        greeting_prompt: true,
        agent: Some(CallAgent { id: agent.id, name: agent.name.clone(), revision: agent.revision.id }),
        summary: None,
        request: StartCallRequest { medium, ..StartCallRequest::default() },
    };
    let terms = Terms { scheduled: Some(ScheduledPlace { batch, position }), ..Terms::default() };
    assert_eq!(stand.storage.calls.insert_on(&call, &terms).await.unwrap(), Admission::Kept);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_lets_the_webhook_in_hand_answer_and_begins_nothing_new() {
    let mut stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Slow(seconds(4)));
    let batch = stand.batch_of_many(between(None, None), 3).await;
    stand.town.until(seconds(1)).await;
    stand.stop().await;
    assert_eq!((stand.letters(batch).await.as_str(), stand.told(HOST)), ("SFF", vec![0]));
    assert_eq!(seconds_in(stand.town.now()), 4);
    stand.start();
    stand.town.until(seconds(30)).await;
    assert_eq!((stand.letters(batch).await.as_str(), stand.told(HOST)), ("SSS", vec![0, 4, 8]));

    // It does not wait for ever, though.
    stand.town.has_manner("stuck", Manner::Hangs);
    let stuck = stand.batch_of_many(telling("stuck", between(None, None)), 1).await;
    stand.town.until(seconds(31)).await;
    stand.stop().await;
    assert_eq!(seconds_in(stand.town.now()), 36);
    assert_eq!(stand.letters(stuck).await, "P");
    stand.start();
    stand.town.until(seconds(37)).await;
    assert_eq!(stand.error(stuck, 0).await, CUT_OFF);
}

#[tokio::test(start_paused = true)]
async fn windows_throttles_and_delays_outlast_the_process() {
    let mut stand = Stand::new().await;
    stand.throttle("calm", 1, 60).await;
    stand.town.has_manner("failing", Manner::Answers(500));
    let calm = stand.batch_of_many(under("calm", between(None, Some(150))), 9).await;
    let failing = stand.batch_of_many(telling("failing", between(None, None)), 9).await;
    let future = stand.batch_of_many(telling("future", between(Some(400), None)), 1).await;
    for moment in [20, 50, 90, 130, 200, 350] {
        stand.town.until(seconds(moment)).await;
        stand.crash().await;
        stand.start();
    }
    stand.town.until(seconds(401)).await;
    assert_eq!((stand.told(HOST), stand.letters(calm).await), (vec![0, 60, 120], "SSSXXXXXX".to_owned()));
    assert_eq!(stand.told("failing"), [0, 5, 15, 35, 75, 155, 315]);
    assert_eq!(stand.letters(failing).await, "EEEEEEEFF");
    assert_eq!((stand.told("future"), stand.letters(future).await), (vec![400], "S".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn however_often_the_plug_is_pulled_every_call_is_created_once_and_told_at_most_once() {
    const CALLS: usize = 60;
    for pause in [90, 170, 310, 730, 1_100, 2_900] {
        let mut stand = Stand::new().await;
        stand.town.has_manner(HOST, Manner::Slow(std::time::Duration::from_millis(400)));
        let batch = stand.batch_of_many(between(None, None), CALLS).await;
        let mut ends = 0;
        while stand.kept(batch).await.ended.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            stand.crash().await;
            stand.start();
            ends += 1;
        }
        let created = stand.created(batch).await;
        let positions: Vec<u32> = created.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, (0..u32::try_from(CALLS).unwrap()).collect::<Vec<_>>(), "{pause} ms");
        let posts = stand.town.posts(HOST);
        let told: BTreeSet<_> = posts.iter().map(crate::town::Post::call).collect();
        assert_eq!((told.len(), posts.len()), (CALLS, CALLS), "{pause} ms");
        let letters = stand.letters(batch).await;
        let in_doubt = letters.matches('E').count();
        assert!(
            in_doubt <= ends && in_doubt + letters.matches('S').count() == CALLS,
            "{pause} ms: {letters}"
        );
        assert_eq!(stand.kept(batch).await.completed, CALLS as u64);
    }
}
