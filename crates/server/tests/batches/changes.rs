//! Batches that are changed, paused and deleted while their calls are being created.

use crate::stand::{HOST, Stand, between, second, telling, under};
use crate::town::{Manner, hours, seconds};

#[tokio::test(start_paused = true)]
async fn a_pause_in_the_middle_lets_nothing_more_come_and_lasts() {
    let stand = Stand::new().await;
    stand.throttle("calm", 1, 60).await;
    let batch = stand.batch_of_many(under("calm", between(None, None)), 5).await;
    stand.town.until(seconds(90)).await;
    stand.change(batch, |settings| settings.paused = true).await;
    stand.town.until(hours(48)).await;
    assert_eq!(stand.told(HOST), [0, 60]);
    let paused = stand.kept(batch).await;
    assert_eq!((stand.letters(batch).await.as_str(), paused.completed, paused.ended), ("SSFFF", 2, None));

    // An end that it is given then is an end.
    stand.change(batch, |settings| settings.window_end = Some(second(49 * 3_600))).await;
    stand.town.until(hours(49)).await;
    assert_eq!(stand.letters(batch).await, "SSXXX");
    assert_eq!(stand.kept(batch).await.ended, Some(second(49 * 3_600)));
    assert_eq!(stand.told(HOST).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pause_while_a_webhook_is_told_comes_after_that_call() {
    let stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Slow(seconds(4)));
    let batch = stand.batch_of_many(between(None, Some(100)), 3).await;
    stand.town.until(seconds(2)).await;
    stand.change(batch, |settings| settings.paused = true).await;
    stand.town.until(seconds(50)).await;
    assert_eq!(stand.letters(batch).await, "SFF");
    stand.town.until(seconds(100)).await;
    assert_eq!(stand.letters(batch).await, "SXX");
    assert_eq!(stand.kept(batch).await.ended, Some(second(100)));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_deleted_in_the_middle_leaves_the_calls_that_were_created() {
    let stand = Stand::new().await;
    stand.town.has_manner("slow", Manner::Slow(seconds(4)));
    let (account, agent) = (stand.agent.account, stand.agent.id);
    let one = stand.batch_of_many(telling("slow", between(None, None)), 3).await;
    let two = stand.batch_of_many(telling("two", between(Some(100), None)), 3).await;
    stand.town.until(seconds(2)).await;
    let created = stand.created(one).await;
    assert_eq!(created.len(), 1);
    assert!(stand.storage.batches.delete_batch(account, agent, one).await.unwrap());
    stand.town.until(seconds(50)).await;
    assert_eq!((stand.find(one).await, stand.told("slow").len()), (None, 1));
    assert!(stand.storage.calls.find(created[0].1.id).await.unwrap().is_some());

    // With its agent, every batch goes.
    assert!(stand.storage.agents.delete_agent(account, agent).await.unwrap());
    stand.town.until(hours(1)).await;
    assert_eq!((stand.find(two).await, stand.told("two").len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn windows_throttles_and_webhooks_can_be_changed_on_the_way() {
    let stand = Stand::new().await;
    stand.throttle("calm", 1, 60).await;
    let fast = stand.throttle("fast", 1, 10).await;
    let batch = stand.batch_of_many(under("calm", between(Some(1_000), None)), 20).await;
    stand.town.until(seconds(10)).await;
    stand.change(batch, |settings| settings.window_start = None).await;
    stand.town.until(seconds(100)).await;
    assert_eq!(stand.told(HOST), [10, 70], "an earlier beginning is noticed at once");

    let mut known = stand.kept(batch).await;
    known.settings.throttle = Some("fast".to_owned());
    known.settings.webhook_url = Some("https://other/".to_owned());
    known.throttle = Some(fast);
    assert!(stand.storage.batches.update_batch(&known).await.unwrap());
    stand.town.until(seconds(125)).await;
    assert_eq!((stand.told(HOST).len(), stand.told("other")), (2, vec![100, 110, 120]));

    stand.change(batch, |settings| settings.window_start = Some(second(200))).await;
    stand.town.until(seconds(199)).await;
    assert_eq!(stand.told("other").len(), 3, "a later beginning holds as well");
    stand.change(batch, |settings| settings.window_end = Some(second(225))).await;
    stand.town.until(seconds(300)).await;
    assert_eq!(stand.told("other"), [100, 110, 120, 200, 210, 220]);
    assert_eq!(stand.letters(batch).await, format!("{}{}", "S".repeat(8), "X".repeat(12)));
    assert_eq!(stand.kept(batch).await.ended, Some(second(225)));
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_what_the_batch_waited_for() {
    let stand = Stand::new().await;
    stand.town.has_manner(HOST, Manner::Answers(500));
    let batch = stand.batch_of_many(between(None, None), 9).await;
    stand.town.until(seconds(400)).await;
    assert_eq!(stand.kept(batch).await.failures, 7);
    // The receiver is mended, and nobody has to wait until the next attempt.
    stand.change(batch, |settings| settings.webhook_url = Some("https://mended/".to_owned())).await;
    stand.town.until(seconds(401)).await;
    assert_eq!((stand.letters(batch).await.as_str(), stand.told("mended")), ("EEEEEEESS", vec![400, 400]));
}
