//! What every voice behind an HTTP interface promises, over real sockets, whatever it speaks.

use antiphon_backends::text_to_speech::{Patience, TextToSpeech};

use super::*;
use crate::{generic, providers};

/// Samples of an answer that is cut at every byte: short, since each cut is a connection.
const SHORT: usize = 240;
/// The last samples of an answer that breaks off are faded out.
const FADE: usize = 120;

/// A voice at a server, waited for that long.
type VoiceAt = dyn Fn(&Wire, Patience) -> Arc<dyn TextToSpeech>;

/// A kind of voice.
pub(crate) struct Kind {
    /// What it is called in failures.
    pub(crate) name: &'static str,
    /// The key that must never come back.
    pub(crate) key: &'static str,
    /// The value of `Content-Type` of its answers.
    pub(crate) content_type: &'static str,
    /// The answer to the text of all tests, with so many samples at 24 kHz.
    pub(crate) body: Box<dyn Fn(usize) -> Vec<u8>>,
    pub(crate) voice: Box<VoiceAt>,
    /// What keeps a connection alive and is no progress; nothing where every byte is audio or part of it.
    pub(crate) idle: Option<&'static str>,
    /// Whether its audio comes before the answer is complete.
    pub(crate) streams: bool,
}

impl Kind {
    async fn replying(&self, status: u16, headers: &'static str, bodies: Vec<Body>) -> Wire {
        let reply = |body| Reply { status, content_type: self.content_type, headers, body };
        Wire::replying(bodies.into_iter().map(reply).collect()).await
    }

    async fn answering(&self, status: u16, body: Body) -> (Wire, Arc<dyn TextToSpeech>) {
        let wire = self.replying(status, "", vec![body]).await;
        let voice = (self.voice)(&wire, Patience::default());
        (wire, voice)
    }

    fn failed(&self, said: Said) -> String {
        let failure = said.failure.unwrap_or_else(|| panic!("{} did not fail", self.name));
        assert!(failure.contains(self.name) && !failure.contains(self.key), "{failure}");
        failure.to_string()
    }
}

fn kinds() -> Vec<Kind> {
    let openai = |format: &'static str, content_type, body: fn(usize) -> Vec<u8>| Kind {
        name: "nova",
        key: OPENAI_KEY,
        content_type,
        body: Box::new(body),
        voice: Box::new(move |wire, patience| {
            let Patience { first_audio, progress } = patience;
            let settings = Settings { response_format: format.into(), first_audio, progress, ..settings() };
            let key = Some(ApiKey::new(OPENAI_KEY));
            Arc::new(OpenAiVoice::new(Endpoint::new(&wire.base, key).unwrap(), settings))
        }),
        idle: None,
        streams: true,
    };
    let mut kinds = vec![
        openai("pcm", "audio/pcm", square_wave),
        openai("wav", "audio/wav", |samples| wav(&square_wave(samples))),
    ];
    kinds.extend(generic::kinds());
    kinds.extend(providers::kinds());
    kinds
}

fn parts(body: &[u8], size: usize) -> Body {
    Body::Parts(body.chunks(size).map(<[u8]>::to_vec).collect())
}

#[tokio::test]
async fn every_remote_voice_keeps_the_contract() {
    for kind in kinds() {
        let (_wire, voice) = kind.answering(200, parts(&(kind.body)(2_400), 1_000)).await;
        keeps_the_contract(&*voice).await;
    }
}

#[tokio::test]
async fn answers_may_be_cut_anywhere() {
    for kind in kinds() {
        let body = (kind.body)(SHORT);
        let (_wire, voice) = kind.answering(200, parts(&body, body.len())).await;
        let whole = say(&*voice, TEXT).await;
        assert_eq!((whole.failure, whole.samples.len()), (None, SHORT), "{}", kind.name);
        let cut = |border: usize| Body::Parts(vec![body[..border].to_vec(), body[border..].to_vec()]);
        let sizes = [1, 2, 3, 7, 64].map(|size| parts(&body, size));
        let bodies: Vec<Body> = sizes.into_iter().chain((1..body.len()).map(cut)).collect();
        let count = bodies.len();
        let wire = kind.replying(200, "", bodies).await;
        let voice = (kind.voice)(&wire, Patience::default());
        for nth in 0..count {
            let said = say(&*voice, TEXT).await;
            assert_eq!(said.failure, None, "{}, cut {nth}", kind.name);
            assert_eq!(
                (said.samples, said.words),
                (whole.samples.clone(), whole.words.clone()),
                "{}, cut {nth}",
                kind.name
            );
        }
    }
}

#[tokio::test]
async fn wherever_an_answer_breaks_off_what_was_heard_is_its_beginning() {
    for kind in kinds() {
        let body = (kind.body)(SHORT);
        let (_wire, voice) = kind.answering(200, parts(&body, body.len())).await;
        let whole = say(&*voice, TEXT).await;
        let beginning = |border: usize| vec![body[..border].to_vec()];
        let broken = (1..body.len()).map(|border| Body::Breaks(beginning(border)));
        // A proper end in the middle is noticed where the form of the answer shows it.
        let ended = (1..body.len()).step_by(7).map(|border| Body::Parts(beginning(border)));
        let bodies: Vec<Body> = broken.chain(ended).collect();
        let (count, breaks) = (bodies.len(), body.len() - 1);
        let wire = kind.replying(200, "", bodies).await;
        let voice = (kind.voice)(&wire, Patience::default());
        for nth in 0..count {
            let said = say(&*voice, TEXT).await;
            let sure = said.samples.len().saturating_sub(FADE);
            assert!(whole.samples.starts_with(&said.samples[..sure]), "{}, cut {nth}", kind.name);
            assert!(said.samples.len() <= SHORT, "{}, cut {nth}", kind.name);
            // Some say within the answer that it is complete.
            if nth < breaks && said.samples.len() < SHORT {
                let failure = kind.failed(said);
                assert!(failure.contains("broke off"), "cut {nth}: {failure}");
            }
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_key() {
    for kind in kinds() {
        let key = kind.key;
        let refusal =
            format!(r#"{{"error":{{"message":"bad key {key}","code":401}},"detail":"bad key {key}"}}"#);
        let check = async |status, body, wanted: &str| {
            let (_wire, voice) = kind.answering(status, body).await;
            let failure = kind.failed(say(&*voice, TEXT).await);
            assert!(failure.contains(wanted), "{failure}");
        };
        check(401, Body::Parts(vec![refusal.clone().into_bytes()]), "answered 401: bad key [hidden]").await;
        // The key lies across two parts, and an error's body may be no text.
        check(403, parts(refusal.as_bytes(), 5), "answered 403: bad key [hidden]").await;
        check(500, Body::Parts(vec![b"<h1>\xc3</h1>".to_vec()]), "answered 500: <h1>").await;
        check(500, Body::Parts(vec![vec![b'x'; 100_000]]), "answered 500: xxx").await;
        check(502, Body::Breaks(vec![b"<h1>".to_vec()]), "answered 502").await;
        check(404, Body::Parts(vec![]), "answered 404").await;
        check(301, Body::Parts(vec![]), "answered 301").await;
        if kind.streams {
            check(200, Body::Parts(vec![]), "gave no audio").await;
        }
        if kind.idle.is_some() || !kind.streams {
            check(200, Body::Parts(vec![b"{\"result\": <html>\n".to_vec()]), "is no JSON").await;
        }
    }
}

fn busy(headers: &'static str) -> Reply {
    let body = Body::Parts(vec![br#"{"error":{"message":"too many requests"}}"#.to_vec()]);
    Reply { status: 429, content_type: "application/json", headers, body }
}

#[tokio::test]
async fn a_voice_that_is_busy_for_a_moment_is_asked_again() {
    for kind in kinds() {
        let body = parts(&(kind.body)(SHORT), 500);
        let spoken = Reply { status: 200, content_type: kind.content_type, headers: "", body };
        let busy = || busy("Retry-After: 0\r\n");
        let mut wire = Wire::replying(vec![busy(), busy(), spoken]).await;
        assert_eq!(
            say(&*(kind.voice)(&wire, Patience::default()), TEXT).await.failure,
            None,
            "{}",
            kind.name
        );
        assert_eq!(wire.requests(), 3, "{}", kind.name);
        let mut wire = Wire::replying(vec![busy()]).await;
        let failure = kind.failed(say(&*(kind.voice)(&wire, Patience::default()), TEXT).await);
        assert!(failure.contains("answered 429: too many requests"), "{failure}");
        assert_eq!(wire.requests(), 3, "{}: asked once and twice again", kind.name);
    }
}

#[tokio::test]
async fn a_voice_that_asks_to_be_left_alone_is() {
    for kind in kinds() {
        let mut wire = Wire::replying(vec![busy("retry-after: 60\r\n")]).await;
        let voice = (kind.voice)(&wire, Patience::default());
        let failure = kind.failed(say(&*voice, TEXT).await);
        assert!(failure.contains("answered 429"), "nobody waits a minute for a word: {failure}");
        let failure = kind.failed(say(&*voice, TEXT).await);
        assert!(failure.contains("asked to be left alone for another"), "{failure}");
        assert_eq!(wire.requests(), 1, "{}", kind.name);
    }
}

#[tokio::test]
async fn a_voice_is_waited_for_so_long_and_no_longer() {
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
    for kind in kinds() {
        for idle in std::iter::once("").chain(kind.idle) {
            let mut wire = kind.replying(200, "", vec![Body::Hangs(vec![idle.as_bytes().to_vec()])]).await;
            let impatient = Patience { first_audio: short, progress: long };
            let failure = kind.failed(say(&*(kind.voice)(&wire, impatient), TEXT).await);
            assert!(failure.contains("did not go on in time"), "{failure}");
            wire.client_left().await;
        }
        if kind.streams {
            let body = (kind.body)(SHORT);
            let most = body[..body.len() - 10].to_vec();
            let wire = kind.replying(200, "", vec![Body::Hangs(vec![most])]).await;
            let impatient = Patience { first_audio: long, progress: short };
            let said = say(&*(kind.voice)(&wire, impatient), TEXT).await;
            assert!(!said.samples.is_empty(), "{}: what came before is heard", kind.name);
            assert!(kind.failed(said).contains("did not go on in time"));
        }
    }
}

#[tokio::test]
async fn dropping_a_voice_closes_its_connection() {
    for kind in kinds().into_iter().filter(|kind| kind.streams) {
        let body = (kind.body)(2_400);
        let (mut wire, voice) =
            kind.answering(200, Body::Hangs(vec![body[..body.len() - 30].to_vec()])).await;
        let mut events = voice.speak(Request { text: TEXT.into(), language: None, sample: None });
        while !matches!(events.next().await.unwrap(), SpeechEvent::Audio(_)) {}
        drop(events);
        wire.client_left().await;
    }
}

#[tokio::test]
async fn a_voice_that_cannot_be_reached_says_so() {
    for kind in kinds() {
        let wire = Wire::nowhere().await;
        let failure = kind.failed(say(&*(kind.voice)(&wire, Patience::default()), TEXT).await);
        assert!(failure.contains("cannot be reached"), "{failure}");
    }
}
