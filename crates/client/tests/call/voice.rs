//! The user's audio at any rate, in pieces of any size.

use std::time::Duration;

use antiphon_audio::{SampleRate, signal};

use crate::server::call;

#[tokio::test(start_paused = true)]
async fn any_rate_and_any_pieces_become_the_calls_frames() {
    let (sender, _events, mut server) = call().await;
    let second = Duration::from_secs(1);
    let tone = signal::sine(SampleRate::WEBSOCKET_DEFAULT, 440.0, 0.5, second);
    let mut voice = sender.voice(SampleRate::WEBSOCKET_DEFAULT, SampleRate::EAR);
    let mut heard = Vec::new();
    for piece in tone.chunks(731) {
        voice.speak(piece).unwrap();
        // As much as a frame at a time comes out.
        if heard.len() < 15_000 && piece.len() == 731 && heard.len() + 640 < tone.len() / 3 {
            tokio::task::yield_now().await;
        }
    }
    // 5 ms wait in the filter, and what does not fill a frame.
    while heard.len() < 49 * 320 {
        let frame = server.hear().await;
        assert_eq!(frame.len(), 320);
        heard.extend(frame);
    }
    let (level, meant) = (signal::level(&heard[1_600..]), signal::level(&tone));
    assert!((level - meant).abs() < 0.2, "{level} dB instead of {meant}");
    assert_eq!(sender.lost_frames(), 0);
}
