//! Voices that stand in for others, in virtual time.

use std::sync::Mutex;

use antiphon_backends::text_to_speech::fallback::Fallback;
use antiphon_backends::text_to_speech::{Capabilities, FailedWhen, TextToSpeech};
use futures::stream::BoxStream;
use tokio::time::advance;

use super::*;

const COOL_DOWN: Duration = Duration::from_secs(30);

/// A voice that remembers what it was asked, and works or not as the test likes.
struct Moody {
    inner: Mutex<Humming>,
    asked: Mutex<Vec<String>>,
}

impl Moody {
    fn new(inner: Humming) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(inner), asked: Mutex::default() })
    }

    fn fails_after(&self, samples: Option<usize>) {
        self.inner.lock().unwrap().fails_after = samples;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl TextToSpeech for Moody {
    fn capabilities(&self) -> Capabilities {
        self.inner.lock().unwrap().capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        self.asked.lock().unwrap().push(request.text.to_string());
        self.inner.lock().unwrap().speak(request)
    }
}

fn humming(rate: u32, word_times: bool) -> Humming {
    // Ten milliseconds a character: a text of so many characters is so many hundredths of a second long.
    Humming {
        ms_per_character: 10,
        sample_rate: SampleRate::new(rate).unwrap(),
        word_times,
        ..Humming::default()
    }
}

fn ordered(voices: &[&Arc<Moody>]) -> Fallback {
    let mut named = ["one", "two", "three"]
        .into_iter()
        .zip(voices)
        .map(|(name, voice)| (Arc::<str>::from(name), Arc::clone(voice) as Arc<dyn TextToSpeech>));
    Fallback::new(named.next().unwrap(), named.collect(), COOL_DOWN)
}

const WORDS: &str = "alpha beta gamma delta";

#[tokio::test]
async fn voices_with_others_behind_them_keep_the_contract() {
    let (one, two) = (Moody::new(humming(16_000, true)), Moody::new(humming(24_000, true)));
    keeps_the_contract(&ordered(&[&one, &two])).await;
    one.fails_after(Some(0));
    keeps_the_contract(&ordered(&[&one, &two])).await;
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_fails_at_once_is_replaced_without_a_sound_lost() {
    let (one, two) = (Moody::new(humming(16_000, true)), Moody::new(humming(24_000, true)));
    one.fails_after(Some(0));
    let voice = ordered(&[&one, &two]);
    let said = say(&voice, WORDS).await;
    assert_eq!(said.failure, None);
    assert_eq!(two.asked(), [WORDS]);
    assert_eq!(said.samples.len(), WORDS.len() * 160, "at the rate of the first");
    let [event] = &said.fell_back[..] else { panic!("{:?}", said.fell_back) };
    assert_eq!((&*event.from, &*event.to, event.failed), ("one", "two", FailedWhen::AtOnce));
    assert!(event.why.contains("told to fail"));
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_dies_in_mid_sentence_stays_heard_and_the_next_says_the_rest() {
    let (one, two) = (Moody::new(humming(16_000, true)), Moody::new(humming(24_000, true)));
    // "alpha beta" ends with the tenth character, and a half of "gamma" is made.
    one.fails_after(Some(13 * 160));
    let said = say(&ordered(&[&one, &two]), WORDS).await;
    assert_eq!(said.failure, None);
    assert_eq!(two.asked(), [" gamma delta"]);
    assert_eq!(said.samples.len(), (13 + " gamma delta".len()) * 160);
    assert_eq!(said.fell_back[0].failed, FailedWhen::InMidSentence);
    let words: Vec<(&str, u32)> =
        said.words.iter().map(|word| (&WORDS[..word.text as usize], word.samples / 160)).collect();
    let wanted = [("alpha", 5), ("alpha beta", 10), ("alpha beta gamma", 13 + 6), (WORDS, 13 + 12)];
    assert_eq!(words, wanted);
}

#[tokio::test(start_paused = true)]
async fn without_word_times_a_common_pace_says_where_it_died() {
    let slow = Humming { ms_per_character: 66, ..humming(16_000, false) };
    let (one, two) = (Moody::new(slow), Moody::new(humming(16_000, false)));
    // A second of audio: fifteen characters, of which two words are whole.
    one.fails_after(Some(16_000));
    let said = say(&ordered(&[&one, &two]), WORDS).await;
    assert_eq!(two.asked(), [" gamma delta"]);
    let words: Vec<&str> = said.words.iter().map(|word| &WORDS[..word.text as usize]).collect();
    assert_eq!(words, ["alpha", "alpha beta", "alpha beta gamma", WORDS]);
    assert_eq!(said.words[1].samples, 16_000);
    assert_eq!(said.words[3].samples as usize, said.samples.len());
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_dies_behind_the_last_word_has_said_all() {
    let (one, two) = (Moody::new(humming(16_000, true)), Moody::new(humming(16_000, true)));
    one.fails_after(Some("alpha".len() * 160));
    let said = say(&ordered(&[&one, &two]), "alpha !").await;
    assert_eq!((said.failure, two.asked().len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_failed_is_left_alone_and_then_tried_with_one_text() {
    let (one, two) = (Moody::new(humming(16_000, true)), Moody::new(humming(16_000, true)));
    one.fails_after(Some(0));
    let voice = ordered(&[&one, &two]);
    say(&voice, WORDS).await;
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
    let said = say(&voice, WORDS).await;
    assert_eq!((one.asked().len(), two.asked().len()), (0, 1), "it rests");
    assert_eq!(said.fell_back[0].failed, FailedWhen::Before);

    advance(COOL_DOWN).await;
    // Two calls at the same time: one of them tries.
    let (first, second) = (voice.speak(text()), voice.speak(text()));
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
    drop((first, second));

    one.fails_after(None);
    advance(COOL_DOWN).await;
    say(&voice, WORDS).await;
    let said = say(&voice, WORDS).await;
    assert_eq!((one.asked().len(), two.asked().len()), (2, 0), "it is well again");
    assert!(said.fell_back.is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_last_one_says_why() {
    let voices = [16_000, 24_000, 48_000].map(|rate| Moody::new(humming(rate, true)));
    voices.iter().for_each(|voice| voice.fails_after(Some(0)));
    let voice = ordered(&[&voices[0], &voices[1], &voices[2]]);
    let said = say(&voice, WORDS).await;
    assert!(said.failure.is_some());
    assert_eq!(said.fell_back.len(), 2);
    // All of them rest, and one has to be tried all the same.
    voices[0].fails_after(None);
    assert_eq!(say(&voice, WORDS).await.failure, None);
}

fn text() -> Request {
    Request { text: WORDS.into(), language: None, sample: None }
}
