//! Files and sockets as units.

use std::time::Duration;

use antiphon_audio::{Channels, G711, SampleRate, Wav, WavWriter};
use antiphon_client::bridge::{
    Encoding, MediaUnit as _, PcmFormat, PcmSocket, Port, SendMedia, WavUnit, send_media_between,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::joined;

const FRAME: usize = 160;

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bridge-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(start_paused = true)]
async fn a_file_is_said_and_the_answer_recorded() {
    let folder = folder("wav");
    let (question, answer) = (folder.join("question.wav"), folder.join("answer.wav"));
    let words: Vec<i16> = (0..8_100).map(|at| at as i16 + 1).collect();
    let mut file =
        WavWriter::new(std::fs::File::create(&question).unwrap(), SampleRate::PHONE, Channels::Mono).unwrap();
    file.write(&words).unwrap();
    file.finish().unwrap();

    let (bridge, _events, mut server) = joined().await;
    let caller = WavUnit::new().play(&question).unwrap().record(&answer).unwrap().start();
    // It waits for somebody who listens.
    server.hear_frames(20).await;
    assert!(!caller.is_done());
    send_media_between(&caller, &bridge).unwrap();
    server.speak(&[99; 4_000]).await;
    let heard = server.hear_frames(70).await;
    let said: Vec<i16> = heard.into_iter().filter(|sample| *sample != 0).collect();
    assert_eq!(said, words);
    caller.done().await;
    caller.finish().await.unwrap();

    let wav = Wav::read(std::fs::File::open(&answer).unwrap()).unwrap();
    assert_eq!((wav.rate_hz, wav.channels), (8_000, 1));
    assert_eq!(wav.samples.iter().filter(|sample| **sample == 99).count(), 4_000);
}

#[tokio::test(start_paused = true)]
async fn a_file_may_be_said_for_ever() {
    let (bridge, _events, mut server) = joined().await;
    let music = WavUnit::new().samples(vec![3; 240], 8_000).repeating().start();
    music.send_media_to(&bridge, SendMedia::default()).unwrap();
    server.hear_frames(5).await;
    let loud = server.hear_frames(100).await.iter().filter(|sample| **sample == 3).count();
    // Every other frame is the half one at the end of the file.
    assert!((70 * FRAME..=80 * FRAME).contains(&loud), "{loud}");
    assert!(!music.is_done());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_why() {
    let folder = folder("wrong");
    let path = folder.join("text.wav");
    std::fs::write(&path, "no audio").unwrap();
    let error = WavUnit::new().play(&path).unwrap_err().to_string();
    assert!(error.contains("text.wav") && error.contains("not a WAV file"), "{error}");
    let error = WavUnit::new().play(folder.join("missing.wav")).unwrap_err().to_string();
    assert!(error.contains("missing.wav"), "{error}");
    let error = WavUnit::new().record(folder.join("no/such/folder.wav")).unwrap_err().to_string();
    assert!(error.contains("folder.wav"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_socket_carries_raw_audio_both_ways() {
    let (bridge, _events, mut server) = joined().await;
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let line = PcmSocket::over(ours, PcmFormat::s16le(SampleRate::PHONE));
    send_media_between(&line, &bridge).unwrap();
    server.speak(&[258; 320]).await;
    // Bytes come in any pieces.
    theirs.write_all(&[1]).await.unwrap();
    theirs.write_all(&[1, 1, 1, 1]).await.unwrap();
    theirs.write_all(&[1; 3 * FRAME - 5]).await.unwrap();
    let heard = server.hear_frames(10).await;
    assert_eq!(heard.iter().filter(|sample| **sample == 257).count(), 3 * FRAME / 2);
    let mut bytes = vec![0; 20 * FRAME * 2];
    theirs.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes.chunks(2).filter(|sample| *sample == [2, 1]).count(), 320);
    drop(theirs);
    line.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_may_speak_g711_and_whoever_sends_too_fast_is_held_back() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let line = PcmSocket::over(ours, Encoding::Alaw.into());
    let ear = Port::live(SampleRate::PHONE);
    line.send_media_to(&ear, SendMedia::default()).unwrap();
    // A whole minute at once.
    let bytes: Vec<u8> = (0..8_000 * 60).map(|at| (at / FRAME % 100) as u8).collect();
    theirs.write_all(&bytes).await.unwrap();
    let (mut clock, mut heard) = (tokio::time::interval(Duration::from_millis(20)), Vec::new());
    for _ in 0..50 * 60 + 20 {
        clock.tick().await;
        let mut frame = [0; FRAME];
        let audio = ear.take(&mut frame);
        heard.extend_from_slice(&frame[..audio]);
    }
    let words: Vec<i16> = bytes.iter().map(|byte| G711::ALaw.decode(*byte)).collect();
    assert!(heard == words, "{} of {} samples", heard.len(), words.len());
    assert_eq!(ear.heard().dropped, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_nobody_reads_costs_frames_and_not_memory() {
    let (ours, theirs) = tokio::io::duplex(1_000);
    let line = PcmSocket::over(ours, PcmFormat::s16le(SampleRate::PHONE));
    let agent = Port::ahead(SampleRate::PHONE);
    agent.send_media_to(&line, SendMedia::default()).unwrap();
    agent.give(&[1; 80_000]);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(line.port().heard().played, Duration::from_secs(10));
    drop(theirs);
}
