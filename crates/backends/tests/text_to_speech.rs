//! What every voice promises, and what each of them adds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "text_to_speech/fallback.rs"]
mod fallback;
#[path = "text_to_speech/generic.rs"]
mod generic;
#[path = "text_to_speech/providers.rs"]
mod providers;
#[path = "text_to_speech/remote.rs"]
mod remote;
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::openai::{OpenAiVoice, Settings};
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::text_to_speech::{
    FellBack, Request, SampleFormat, SpeechEvent, TextToSpeech, VoiceSample,
};
use antiphon_engine::input::WordEnd;
use futures::StreamExt;
use wire::{Body, Reply, Wire};

const OPENAI_KEY: &str = "sk-canary-5521";
const TEXT: &str = "We open at seven, every day. The bread — still warm — is ready then.";

struct Said {
    samples: Vec<i16>,
    words: Vec<WordEnd>,
    failure: Option<Arc<str>>,
    fell_back: Vec<FellBack>,
}

async fn say(voice: &dyn TextToSpeech, text: &str) -> Said {
    let mut said = Said { samples: Vec::new(), words: Vec::new(), failure: None, fell_back: Vec::new() };
    let mut stream = voice.speak(Request { text: text.into(), language: None, sample: None });
    loop {
        match stream.next().await.expect("a stream ends with Finished or Failed") {
            SpeechEvent::Audio(samples) => {
                assert!(!samples.is_empty(), "audio without samples");
                said.samples.extend(samples);
            }
            SpeechEvent::Words(words) => said.words = words,
            SpeechEvent::FellBack(event) => said.fell_back.push(event),
            SpeechEvent::Finished => break,
            SpeechEvent::Failed(reason) => {
                said.failure = Some(reason);
                break;
            }
        }
    }
    assert_eq!(stream.next().await, None, "nothing follows the end");
    said
}

/// The promises of the trait, for a voice that works.
async fn keeps_the_contract(voice: &dyn TextToSpeech) {
    let said = say(voice, TEXT).await;
    assert_eq!(said.failure, None);
    assert!(said.samples.iter().any(|&sample| sample.unsigned_abs() > 1_000), "the audio is silent");

    assert_eq!(!said.words.is_empty(), voice.capabilities().word_times);
    for pair in said.words.windows(2) {
        assert!(pair[0].text < pair[1].text && pair[0].samples <= pair[1].samples, "word times rise");
    }
    for word in &said.words {
        assert!(word.samples as usize <= said.samples.len(), "a word ends within the audio");
        assert!(TEXT.is_char_boundary(word.text as usize), "a word ends at a character");
    }
    if let Some(last) = said.words.last() {
        assert_eq!(last.text as usize, TEXT.len(), "the last word ends with the text");
    }

    let again = say(voice, TEXT).await;
    assert_eq!(again.samples, said.samples, "a second run is not disturbed by the first");

    let mut dropped = voice.speak(Request { text: TEXT.repeat(20).into(), language: None, sample: None });
    assert!(dropped.next().await.is_some());
}

fn openai(wire: &Wire) -> OpenAiVoice {
    OpenAiVoice::new(Endpoint::new(&wire.base, Some(ApiKey::new(OPENAI_KEY))).unwrap(), settings())
}

fn settings() -> Settings {
    Settings {
        model: "tts-1".into(),
        voice: "nova".into(),
        response_format: "pcm".into(),
        sample_rate: SampleRate::new(24_000).unwrap(),
        first_audio: Duration::from_secs(10),
        progress: Duration::from_secs(10),
    }
}

fn wav(samples: &[u8]) -> Vec<u8> {
    wav_of(24_000, samples)
}

/// A file of one channel at this rate.
fn wav_of(rate: u32, samples: &[u8]) -> Vec<u8> {
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(2 * rate).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(samples);
    wav
}

fn square_wave(samples: usize) -> Vec<u8> {
    (0..samples).flat_map(|n| (if n % 40 < 20 { 5_000_i16 } else { -5_000 }).to_le_bytes()).collect()
}

#[tokio::test]
async fn every_voice_of_this_machine_keeps_the_contract() {
    keeps_the_contract(&Humming::default()).await;
    keeps_the_contract(&Humming { word_times: false, ..Humming::default() }).await;
    keeps_the_contract(&Flite::new()).await;
}

#[tokio::test]
async fn a_voice_that_clones_sounds_like_the_recording_and_another_one_like_itself() {
    let like = async |voice: &Humming, file: &'static [u8]| {
        let sample = VoiceSample { file: file.into(), format: SampleFormat::Wav };
        let request = Request { text: "Hello.".into(), language: None, sample: Some(Arc::new(sample)) };
        voice.speak(request).collect::<Vec<_>>().await
    };
    let (plain, clones) = (Humming::default(), Humming { clones: true, ..Humming::default() });
    let first = like(&clones, b"a recording").await;
    assert_eq!(like(&clones, b"a recording").await, first);
    assert_ne!(like(&clones, b"a Recording").await, first);
    assert_eq!(like(&plain, b"a recording").await, like(&plain, b"a Recording").await);
    keeps_the_contract(&clones).await;
    assert!(clones.capabilities().clones && !plain.capabilities().clones);
    let sample = VoiceSample { file: b"private"[..].into(), format: SampleFormat::Mp3 };
    assert_eq!(format!("{sample:?}"), "VoiceSample { bytes: 7, format: Mp3 }");
}

#[tokio::test]
async fn flite_tells_where_words_end_in_its_audio() {
    let said = say(&Flite::new(), "Hello there. Two buns, please!").await;
    let text = "Hello there. Two buns, please!";
    let heard: Vec<&str> = said.words.iter().map(|word| &text[..word.text as usize]).collect();
    assert_eq!(
        heard,
        [
            "Hello",
            "Hello there.",
            "Hello there. Two",
            "Hello there. Two buns,",
            "Hello there. Two buns, please!"
        ]
    );
    // Behind the last word lies the pause that was kept, and nothing but it.
    let end = said.words.last().unwrap().samples as usize;
    assert!(
        said.samples.len() - end <= 200 * 16 + 160,
        "{} samples behind the last word",
        said.samples.len() - end
    );
    let loudness =
        |range: &[i16]| range.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / range.len() as f64;
    assert!(loudness(&said.samples[end + 800..]) < loudness(&said.samples[..end]) / 1_000.0);
    // The pause between the sentences is where the word times say it is.
    let pause = said.words[1].samples as usize;
    assert!(loudness(&said.samples[pause + 800..pause + 2_400]) < loudness(&said.samples[..pause]) / 1_000.0);
}

#[tokio::test]
async fn flite_starts_and_ends_close_to_the_sound() {
    let said = say(&Flite::new(), "Tea.").await;
    let first = said.samples.iter().position(|sample| sample.unsigned_abs() > 300).unwrap();
    assert!(first < 100 * 16, "sound begins after {first} samples");
}

#[tokio::test]
async fn flite_takes_any_text() {
    let voice = Flite::new();
    let long_word = "a".repeat(100_000);
    let long_sentence = "bread ".repeat(3_000);
    for text in [
        "Dr. Smith's 3.5% of $1,234.56 at 9:30am on 12/31/1999, U.S.A.",
        "1984 007 555-1234 1/2 3/0 -5 +49 30 1234567 10e99 1e-400 99999999999999999999999999",
        "“Quoted” ‘text’ … naïve café – 9–17 №5 ½",
        "a@b.co https://example.org/?q=1&r=2#x C:\\dir\\file.txt",
        "👍🏽 ok 🎉🎉",
        "日本語 1",
        "\"",
        "'",
        "((((",
        "....",
        "/",
        "1/",
        "/2",
        ":",
        "1:",
        "-",
        "--",
        "a-",
        "-a",
        "$",
        "$.",
        "%",
        "1%",
        "#1",
        "_",
        "*",
        "\u{0}x\u{7f}\u{200b}y",
        "MMXIV XVIII iv",
        "e",
        "A",
        "a.",
        "St. St",
        "Mr",
        "No. 1",
        "'s",
        "s'",
        "1st 2nd 33rd 0th",
        "1,2,3",
        "1,,2",
        "12:60pm",
        "25:99",
        "5'10\"",
        "x²",
        "\r\n\r\n",
        "İstanbul ﬁne",
        &long_word,
        &long_sentence,
    ] {
        let said = say(&voice, text).await;
        assert_eq!(said.failure, None, "{:.40}", text);
        if let Some(last) = said.words.last() {
            assert!(
                last.text as usize <= text.len() && last.samples as usize <= said.samples.len(),
                "{:.40}",
                text
            );
        }
    }
    assert!(say(&voice, "日本語").await.samples.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_while_flite_works() {
    let before = tokio::time::Instant::now();
    let late = tokio::time::sleep(Duration::from_secs(5));
    tokio::pin!(late);
    let voice = Flite::new();
    tokio::select! {
        said = say(&voice, TEXT) => assert!(!said.samples.is_empty()),
        () = &mut late => panic!("virtual time ran away"),
    }
    assert_eq!(tokio::time::Instant::now(), before);
}

#[tokio::test]
async fn the_scripted_voice_is_as_long_as_its_text() {
    let voice = Humming { ms_per_character: 10, ..Humming::default() };
    let said = say(&voice, "ab  cdé").await;
    assert_eq!(said.samples.len(), 7 * 160);
    assert_eq!(said.words, [WordEnd { text: 2, samples: 2 * 160 }, WordEnd { text: 8, samples: 7 * 160 }]);
}

#[tokio::test]
async fn the_scripted_voice_fails_when_told() {
    let voice = Humming { fails_after: Some(1_000), ..Humming::default() };
    let said = say(&voice, TEXT).await;
    assert_eq!(said.samples.len(), 1_000);
    assert!(said.failure.is_some());
}

#[tokio::test]
async fn an_openai_voice_is_asked_for_pcm_with_its_key() {
    let mut wire = Wire::answering(200, "audio/pcm", Body::Parts(vec![square_wave(100)])).await;
    say(&openai(&wire), "Hi.").await;
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/audio/speech HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.contains(&format!("authorization: Bearer {OPENAI_KEY}")));
    let body = String::from_utf8(seen.body).unwrap();
    assert_eq!(body, r#"{"model":"tts-1","voice":"nova","input":"Hi.","response_format":"pcm"}"#);
}

#[tokio::test]
async fn json_instead_of_audio_is_a_failure() {
    let body = Body::Parts(vec![br#"{"error":"no such voice"}"#.to_vec()]);
    let wire = Wire::answering(200, "application/json", body).await;
    let failure = say(&openai(&wire), "Hi.").await.failure.expect("a failure");
    assert!(failure.contains("no such voice"), "{failure}");
}

#[tokio::test]
async fn an_openai_wav_says_its_own_rate() {
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(&32_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data\xff\xff\xff\xff");
    wav.extend(square_wave(1_600));
    for size in [1, 3, 45, 5_000] {
        let parts = wav.chunks(size).map(<[u8]>::to_vec).collect();
        let wire = Wire::answering(200, "audio/wav", Body::Parts(parts)).await;
        let said = say(&openai(&wire), "Hi.").await;
        assert_eq!((said.failure, said.samples.len()), (None, 2_400), "100 ms at 24 kHz, in parts of {size}");
    }
}
