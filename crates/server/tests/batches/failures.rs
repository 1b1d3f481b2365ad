//! Calls that cannot be created, and webhooks that cannot be told: each is noted, and the rest goes on.

use antiphon_api::rest::calls::{CallMedium, OutgoingPhoneCall, PhoneMedium};
use antiphon_api::rest::scheduled_batches::ScheduledCallRequest;
use antiphon_server::storage::Settled;
use serde_json::json;

use crate::stand::{HOST, Stand, between, second};
use crate::town::{Manner, hours, seconds};

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_created_says_why_and_the_rest_goes_on() {
    let stand = Stand::new().await;
    let batch = stand.batch(between(None, None), &["", "Jane", "", "Joe"]).await;
    stand.town.until(seconds(0)).await;
    assert_eq!(stand.letters(batch).await, "ESES");
    let error = stand.error(batch, 2).await;
    assert!(error.starts_with("systemPrompt: uses {{name}}, which has no value"), "{error}");
    let over = stand.kept(batch).await;
    assert_eq!((over.completed, over.ended, over.failures), (4, Some(second(0)), 0));
    assert_eq!(stand.created(batch).await.len(), 2, "nothing is left of those that failed");
    assert_eq!((stand.town.posts(HOST).len(), stand.calls.count()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_is_when_its_turn_comes_decides() {
    let stand = Stand::new().await;
    stand.throttle("calm", 1, 60).await;
    let settings = crate::stand::under("calm", between(None, None));
    let batch = stand.batch(settings, &["Jane", "Joe", "Jack", "Jill"]).await;
    stand.town.until(seconds(1)).await;
    stand.change_agent(|template| template.system_prompt = Some("Bye {{name}}".to_owned())).await;
    stand.town.until(seconds(61)).await;
    stand.change_agent(|template| template.model = Some("no-such-model".to_owned())).await;
    stand.town.until(seconds(122)).await;
    // What fails uses nothing of the throttle up, so that all that is left has failed by now.
    assert_eq!(stand.letters(batch).await, "SSEE");
    let prompts: Vec<_> =
        stand.created(batch).await.into_iter().map(|(_, call)| call.request.system_prompt.unwrap()).collect();
    assert_eq!(prompts, ["Hi Jane", "Bye Joe"]);
    let error = stand.error(batch, 2).await;
    assert!(error.starts_with("model: ") && error.contains("no-such-model"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_context_that_the_agents_schema_refuses_and_a_medium_without_a_backend_are_said() {
    let stand = Stand::new().await;
    let schema = json!({"type": "object", "properties": {"name": {"type": "string", "minLength": 2}}});
    stand.change_agent(|template| template.context_schema = schema.as_object().cloned()).await;
    let phone = OutgoingPhoneCall {
        to: "+15550001".to_owned(),
        from: "+15550002".to_owned(),
        additional_params: None,
    };
    let medium = CallMedium::Twilio(PhoneMedium { outgoing: Some(phone), dtmf_handling: None });
    let call = |name: &str| ScheduledCallRequest {
        template_context: json!({"name": name}).as_object().cloned(),
        ..Default::default()
    };
    let calls = vec![call("J"), ScheduledCallRequest { medium: Some(medium), ..call("Jane") }, call("Joe")];
    let batch = stand.batch_of(between(None, None), calls).await;
    stand.town.until(seconds(0)).await;
    assert_eq!(stand.letters(batch).await, "EES");
    let error = stand.error(batch, 0).await;
    assert!(error.starts_with("templateContext: does not fit the agent: "), "{error}");
    assert!(stand.error(batch, 1).await.starts_with("medium.twilio: "));
}

#[tokio::test(start_paused = true)]
async fn after_each_webhook_that_fails_in_a_row_the_next_call_waits_longer() {
    let stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Answers(500));
    let batch = stand.batch_of_many(between(None, None), 12).await;
    stand.town.until(seconds(1_000)).await;
    assert_eq!(stand.told(HOST), [0, 5, 15, 35, 75, 155, 315, 615, 915]);
    assert_eq!(stand.letters(batch).await, "EEEEEEEEEFFF");
    assert_eq!(stand.error(batch, 0).await, "the webhook was not told: HTTP status 500");
    assert_eq!(stand.kept(batch).await.failures, 9);
    assert_eq!(stand.created(batch).await.len(), 9, "the calls are there, and each was told once");

    // One that is taken makes good for all that were not.
    stand.town.has_manner(HOST, Manner::Answers(204));
    stand.town.until(seconds(1_216)).await;
    assert_eq!(stand.letters(batch).await, "EEEEEEEEESSS");
    let over = stand.kept(batch).await;
    assert_eq!((over.completed, over.ended, over.failures), (12, Some(second(1_215)), 0));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_has_ten_seconds_and_says_what_was_wrong_in_its_own_words() {
    let stand = Stand::new().await;
    for (host, manner) in [
        ("hangs", Manner::Hangs),
        ("slow", Manner::Slow(seconds(9))),
        ("late", Manner::Slow(seconds(11))),
        ("gone", Manner::DownUntil(hours(9))),
        ("moved", Manner::Answers(308)),
    ] {
        stand.town.has_manner(host, manner);
    }
    for (host, error) in [
        ("hangs", Some("there was no answer within 10s")),
        ("slow", None),
        ("late", Some("there was no answer within 10s")),
        ("gone", Some("nobody is there")),
        ("moved", Some("redirects are not followed")),
    ] {
        let batch = stand.batch_of_many(crate::stand::telling(host, between(None, None)), 1).await;
        tokio::time::sleep(seconds(20)).await;
        let call = stand.scheduled(batch).await.remove(0);
        match error {
            None => assert_eq!((stand.letters(batch).await.as_str(), call.error), ("S", None), "{host}"),
            Some(why) => {
                let error = call.error.unwrap();
                assert!(
                    error.starts_with("the webhook was not told: ") && error.contains(why),
                    "{host}: {error}"
                );
                assert!(call.call.is_some(), "it is there all the same");
            }
        }
        assert_eq!(stand.town.posts(host).len(), 1, "{host} is told once");
        assert!(stand.kept(batch).await.ended.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_settled_stays_so() {
    let stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Slow(seconds(5)));
    let batch = stand.batch_of_many(between(None, None), 1).await;
    stand.town.until(seconds(1)).await;
    let place = antiphon_server::storage::ScheduledPlace { batch, position: 0 };
    let settled = Settled::Error("by hand".to_owned());
    stand.storage.batches.settle_call(place, &settled, stand.town.now()).await.unwrap();
    stand.town.until(seconds(9)).await;
    assert_eq!((stand.error(batch, 0).await.as_str(), stand.kept(batch).await.completed), ("by hand", 1));
}
