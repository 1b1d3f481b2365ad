//! Windows of time, and throttles.

use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_server::storage::CallAgent;

use crate::stand::{HOST, Stand, between, second, telling, under};
use crate::town::{hours, seconds};

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_its_window_and_what_is_left_expires_with_it() {
    let stand = Stand::new().await;
    stand.throttle("calm", 2, 60).await;
    let batch = stand.batch_of_many(under("calm", between(Some(100), Some(200))), 7).await;
    stand.town.until(seconds(99)).await;
    assert_eq!((stand.letters(batch).await.as_str(), stand.calls.count()), ("FFFFFFF", 0));
    stand.town.until(seconds(100)).await;
    assert_eq!(stand.letters(batch).await, "SSFFFFF");
    stand.town.until(seconds(199)).await;
    assert_eq!(stand.letters(batch).await, "SSSSFFF");
    assert_eq!(stand.kept(batch).await.ended, None);
    stand.town.until(seconds(200)).await;
    assert_eq!(stand.letters(batch).await, "SSSSXXX");
    let over = stand.kept(batch).await;
    assert_eq!((over.total, over.completed, over.ended), (7, 4, Some(second(200))));
    stand.town.until(hours(100)).await;
    assert_eq!(stand.told(HOST), [100, 100, 160, 160]);
    assert_eq!(stand.kept(batch).await, over);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_calls_come_at_once_and_in_order_and_are_told_as_they_were_created() {
    let stand = Stand::new().await;
    let batch = stand.batch(between(None, None), &["Jane", "Joe", "Jack"]).await;
    stand.town.until(seconds(1)).await;
    let over = stand.kept(batch).await;
    assert_eq!((over.completed, over.ended), (3, Some(second(0))));
    let created = stand.created(batch).await;
    let posts = stand.town.posts(HOST);
    assert_eq!((created.len(), posts.len()), (3, 3));
    let of =
        CallAgent { id: stand.agent.id, name: stand.agent.name.clone(), revision: stand.agent.revision.id };
    for (((position, call), post), (place, name)) in
        created.iter().zip(&posts).zip([(0, "Jane"), (1, "Joe"), (2, "Jack")])
    {
        assert_eq!((*position, call.created, call.agent.as_ref()), (place, second(0), Some(&of)));
        assert_eq!((post.call(), post.event()), (call.id, WebhookEvent::Started.as_str().to_owned()));
        assert_eq!(post.body()["call"]["systemPrompt"], format!("Hi {name}"));
        assert!(post.request.headers.contains_key("x-ultravox-webhook-signature"));
        assert_eq!(stand.scheduled(batch).await[place as usize].call, Some(call.id));
    }
    assert_eq!(stand.town.most_at_a_time(HOST), 1, "one after another");
}

#[tokio::test(start_paused = true)]
async fn batches_under_one_throttle_share_what_it_lets_pass() {
    let stand = Stand::new().await;
    stand.throttle("calm", 3, 10).await;
    let settings = |host| telling(host, under("calm", between(None, None)));
    let one = stand.batch_of_many(settings("one"), 10).await;
    let two = stand.batch_of_many(settings("two"), 10).await;
    let free = stand.batch_of_many(telling("free", between(None, None)), 10).await;
    stand.town.until(seconds(0)).await;
    assert_eq!(stand.letters(free).await, "SSSSSSSSSS", "nobody else waits");
    stand.town.until(hours(1)).await;
    let mut all = [stand.told("one"), stand.told("two")].concat();
    all.sort_unstable();
    let expected: Vec<u64> = (0..20).map(|call| call / 3 * 10).collect();
    assert_eq!(all, expected, "as many as fit, and none too early");
    for batch in [one, two] {
        assert_eq!(stand.letters(batch).await, "SSSSSSSSSS");
    }
}

#[tokio::test(start_paused = true)]
async fn many_windows_open_each_in_its_time() {
    let stand = Stand::new().await;
    let mut batches = Vec::new();
    for number in (0..100_u64).rev() {
        // Some of them beyond the longest nap, and many at the same moment.
        let start = number / 10 * 977;
        let host = format!("host-{number}");
        batches.push((
            host.clone(),
            start,
            stand.batch_of_many(telling(&host, between(Some(start), None)), 2).await,
        ));
    }
    stand.town.until(hours(3)).await;
    for (host, start, batch) in batches {
        assert_eq!(stand.told(&host), [start; 2], "{host}");
        assert_eq!(stand.kept(batch).await.ended, Some(second(start)), "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_ends_while_a_webhook_is_told_lets_that_call_be() {
    let stand = Stand::new().await;
    stand.town.has_manner(HOST, crate::town::Manner::Slow(seconds(8)));
    let batch = stand.batch_of_many(between(None, Some(5)), 2).await;
    stand.town.until(seconds(6)).await;
    assert_eq!((stand.letters(batch).await.as_str(), stand.kept(batch).await.ended), ("PF", None));
    stand.town.until(seconds(9)).await;
    assert_eq!(stand.letters(batch).await, "SX");
    assert_eq!(stand.kept(batch).await.ended, Some(second(8)));
}
