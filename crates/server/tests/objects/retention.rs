//! What lies in object storage is kept for as long, and as much of it, as is configured.

use std::time::{Duration, SystemTime};

use antiphon_server::jobs::retention::{Keeping, Kind, Removed, stored};

use crate::stand::Stand;
use crate::weather::Weather;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keeping(what: Kind, days: Option<u32>, maximum_bytes: Option<u64>) -> Keeping {
    Keeping { what, directory: "nowhere".into(), keep: days.map(|days| DAY * days), maximum_bytes }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_it_is_kept_goes_and_nothing_of_another_kind() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    stand.hand_over().round().await;
    let recordings = keeping(Kind::Recording, Some(30), None);
    let in_days = |days| SystemTime::now() + DAY * days;
    let swept = stored::sweep(&recordings, &stand.objects, in_days(29)).await.unwrap();
    assert_eq!(swept, (Removed::default(), false));
    let (removed, more) = stored::sweep(&recordings, &stand.objects, in_days(31)).await.unwrap();
    assert_eq!((removed, more), (Removed { calls: vec![call], bytes: 64_044 }, false));
    assert_eq!(stand.store.names().await, [format!("a/journals/{call}.journal")]);
}

#[tokio::test(start_paused = true)]
async fn too_many_bytes_cost_the_oldest() {
    let stand = Stand::new().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(stand.ended().await);
        stand.hand_over().round().await;
    }
    let recordings = keeping(Kind::Recording, None, Some(2 * 64_044));
    let tomorrow = SystemTime::now() + DAY;
    let (removed, _) = stored::sweep(&recordings, &stand.objects, tomorrow).await.unwrap();
    assert_eq!(removed.calls, calls[..1]);
    let now = SystemTime::now();
    let none = keeping(Kind::Recording, None, Some(0));
    let (removed, _) = stored::sweep(&none, &stand.objects, now).await.unwrap();
    assert_eq!(removed, Removed::default(), "what was handed over just now stays for a while");
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away_is_swept_the_next_time() {
    let stand = Stand::new().await;
    stand.ended().await;
    stand.hand_over().round().await;
    let recordings = keeping(Kind::Recording, Some(1), None);
    let later = SystemTime::now() + DAY * 2;
    for weather in [Weather::Away, Weather::Silent] {
        stand.store.turn(weather);
        stored::sweep(&recordings, &stand.objects, later).await.unwrap_err();
    }
    stand.store.turn(Weather::Fine);
    assert_eq!(stored::sweep(&recordings, &stand.objects, later).await.unwrap().0.calls.len(), 1);
}
