//! How many calls there may be at a time, and how fast they may come: what finds no room waits.

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_server::call::CreateOptions;
use antiphon_server::config::{self, Limits};

use crate::stand::{HOST, Stand, between, telling};
use crate::town::{Manner, hours, seconds};

#[tokio::test(start_paused = true)]
async fn an_account_never_has_more_calls_than_it_may_and_all_come_in_the_end() {
    let limits = Limits { concurrent_calls: 2, ..Limits::default() };
    let stand = Stand::with(config::Calls::default(), limits).await;
    let one = stand.batch_of_many(telling("one", between(None, None)), 5).await;
    let two = stand.batch_of_many(telling("two", between(None, None)), 5).await;
    let mut most = 0;
    // Nobody joins, so that each call has its place for 30 seconds.
    for second in 0..300 {
        stand.town.until(seconds(second)).await;
        most = most.max(stand.calls.count());
    }
    assert_eq!(most, 2);
    assert_eq!([stand.letters(one).await, stand.letters(two).await], ["SSSSS", "SSSSS"]);
    let told = [stand.told("one"), stand.told("two")].concat();
    assert!(told.iter().max().unwrap() < &200, "places are taken soon after they are free: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_come_no_faster_than_the_account_may_create_them() {
    let limits = Limits { calls_per_second: 5, calls_per_minute: 30, ..Limits::default() };
    let stand = Stand::with(config::Calls::default(), limits).await;
    let batch = stand.batch_of_many(between(None, None), 100).await;
    stand.town.until(hours(1)).await;
    assert_eq!(stand.letters(batch).await, "S".repeat(100));
    let told: Vec<f64> = stand.town.posts(HOST).iter().map(|post| post.at.as_secs_f64()).collect();
    for (index, at) in told.iter().enumerate() {
        // A burst may precede what comes evenly.
        let within = |span: f64| told[index..].iter().take_while(|then| **then < at + span).count();
        assert!(within(1.0) <= 10 && within(60.0) <= 60, "{at}: {told:?}");
    }
    // Waiting uses nothing up: the first 30 in a burst, the other 70 at half a second... two seconds each.
    assert!((139.0..150.0).contains(told.last().unwrap()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn batches_leave_a_tenth_of_the_servers_calls_to_others() {
    let settings = config::Calls { maximum_live: 20, ..config::Calls::default() };
    let stand = Stand::with(settings, Limits::default()).await;
    let batch = stand.batch_of_many(between(None, None), 30).await;
    stand.town.until(seconds(5)).await;
    assert_eq!(stand.calls.count(), 18);
    assert_eq!(stand.letters(batch).await, format!("{}{}", "S".repeat(18), "F".repeat(12)));
    for _ in 0..2 {
        let other = CreateOptions::default();
        stand.calls.create(stand.agent.account, StartCallRequest::default(), other).await.unwrap();
    }
    stand.town.until(seconds(120)).await;
    assert_eq!(stand.letters(batch).await, "S".repeat(30));
}

#[tokio::test(start_paused = true)]
async fn a_long_batch_lets_others_have_their_turns() {
    let stand = Stand::new().await;
    stand.town.has_manner("long", Manner::Slow(seconds(1)));
    let long = stand.batch_of_many(telling("long", between(None, None)), 500).await;
    let short = stand.batch_of_many(telling("short", between(None, None)), 3).await;
    stand.town.until(seconds(1)).await;
    assert_eq!(stand.letters(short).await, "SSS");
    stand.town.until(seconds(600)).await;
    assert_eq!(stand.letters(long).await, "S".repeat(500));
    assert_eq!(stand.town.most_at_a_time("long"), 1);
}

#[tokio::test(start_paused = true)]
async fn however_many_webhooks_hang_the_others_are_told() {
    let stand = Stand::new().await;
    for number in 0..100 {
        let host = format!("stuck-{number}");
        stand.town.has_manner(&host, Manner::Hangs);
        stand.batch_of_many(telling(&host, between(None, None)), 3).await;
    }
    let good = stand.batch_of_many(telling("good", between(None, None)), 3).await;
    // Sixteen of an account at a time, ten seconds each; who has failed waits behind who has not.
    stand.town.until(seconds(71)).await;
    assert_eq!(stand.letters(good).await, "SSS", "{:?}", stand.told("good"));
    stand.town.until(hours(1)).await;
    for number in 0..100 {
        assert_eq!(stand.told(&format!("stuck-{number}")).len(), 3, "each call is told once");
    }
}

#[tokio::test(start_paused = true)]
async fn webhooks_that_take_their_time_have_short_turns() {
    let stand = Stand::new().await;
    for number in 0..40 {
        let host = format!("slow-{number}");
        stand.town.has_manner(&host, Manner::Slow(seconds(9)));
        stand.batch_of_many(telling(&host, between(None, None)), 20).await;
    }
    let good = stand.batch_of_many(telling("good", between(None, None)), 3).await;
    // Each has told one call, in the third round at the latest.
    stand.town.until(seconds(28)).await;
    assert_eq!(stand.letters(good).await, "SSS", "{:?}", stand.told("good"));
    stand.town.until(hours(1)).await;
    for number in 0..40 {
        assert_eq!(stand.told(&format!("slow-{number}")).len(), 20, "each call is told once");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_leaves_turns_to_others_whatever_its_webhooks_do() {
    let stand = Stand::new().await;
    for number in 0..1_000 {
        let host = format!("stuck-{}", number % 100);
        stand.town.has_manner(&host, Manner::Hangs);
        stand.batch_of_many(telling(&host, between(None, None)), 3).await;
    }
    stand.town.until(seconds(3)).await;
    stand.batch_of_a_neighbour(telling("good", between(None, None)), 3).await;
    stand.town.until(seconds(4)).await;
    assert_eq!(stand.told("good"), [3, 3, 3]);
    // Nor does it keep its own from their turns for ever.
    stand.town.until(hours(3)).await;
    let told: usize = (0..100).map(|number| stand.told(&format!("stuck-{number}")).len()).sum();
    assert_eq!(told, 3_000);
}
