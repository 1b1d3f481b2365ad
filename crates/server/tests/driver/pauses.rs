//! Pauses in the user's speech, and the turn detector that judges them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::registry::Backends;
use antiphon_backends::turn_detection::{Judge, TurnDetector};
use antiphon_server::storage::Storage;
use serde_json::json;

use crate::client::{silence, tone};
use crate::stand::{Stand, backends};

const SECOND: Duration = Duration::from_secs(1);

/// Is sure that nothing is over, and keeps what it was asked about.
#[derive(Default)]
struct Doubtful(Mutex<Vec<Vec<i16>>>);

impl TurnDetector for Doubtful {
    fn end_of_turn(&self, samples: &[i16]) -> f32 {
        self.0.lock().unwrap().push(samples.to_vec());
        0.0
    }
}

struct Panics;

impl TurnDetector for Panics {
    fn end_of_turn(&self, _: &[i16]) -> f32 {
        panic!("a detector that panics")
    }
}

/// How many turns a user takes who speaks for a second, pauses for another, and speaks again.
async fn turns(detector: Arc<dyn TurnDetector>) -> usize {
    let judge = Judge::new(detector, None);
    let backends = Backends { turn_detector: Some(Arc::new(judge)), ..backends() };
    let stand = Stand::with(backends, Storage::in_memory());
    let (call, client) = stand.call(json!({})).await;
    for samples in [tone(SECOND), silence(SECOND), tone(SECOND), silence(3 * SECOND)] {
        client.speak(&samples).await;
    }
    client.hang_up();
    stand.ended(call).await;
    stand.messages(call).await.iter().filter(|message| message.as_str() == "hello").count()
}

#[tokio::test(start_paused = true)]
async fn a_detector_that_hears_no_end_keeps_the_turn_open_through_a_pause() {
    let detector = Arc::new(Doubtful::default());
    assert_eq!(turns(Arc::clone(&detector) as Arc<dyn TurnDetector>).await, 1);
    let heard = detector.0.lock().unwrap();
    let spoken = |clip: &Vec<i16>| clip.iter().filter(|sample| **sample != 0).count();
    let trailing = |clip: &Vec<i16>| clip.iter().rev().take_while(|sample| **sample == 0).count();
    assert_eq!(heard.len(), 2, "each pause is judged once");
    assert!(spoken(&heard[0]) < spoken(&heard[1]), "the whole turn is heard, not only what is new");
    // The pause is looked at after 160 ms.
    assert!(heard.iter().all(|clip| (2_000..4_000).contains(&trailing(clip))), "and the pause behind it");
}

#[tokio::test(start_paused = true)]
async fn a_detector_that_panics_leaves_the_turn_to_end_as_without() {
    assert_eq!(turns(Arc::new(Panics)).await, 2);
}
