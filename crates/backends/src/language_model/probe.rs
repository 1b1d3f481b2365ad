//! What a model at an endpoint can really do, found out by asking it (inference.md 5.5, rule 10).
//!
//! Owns the questions, what is concluded from the answers, and a model that heeds them. The words are spoken by the built-in
//! voice. It must not know how a model is reached or where findings are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_engine::ids::TurnId;
use antiphon_engine::message::{AudioSpan, Medium, Message, MessageBody, Prompt, ToolForModel};
use antiphon_engine::time::AudioTime;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Capabilities, Clips, Failure, Fault, LanguageModel, Note, Request, RunEvent};
use crate::text_to_speech::flite::Flite;
use crate::text_to_speech::{self, SpeechEvent, TextToSpeech as _};

/// Two words that no recognizer takes for each other.
const WORDS: [&str; 2] = ["banana", "elephant"];
const REPEAT: &str =
    "You repeat what you hear. Answer with the words of the user's last recording and nothing else.";
/// How much longer an answer may take to begin behind one that was broken off.
const ABORT_SLACK: Duration = Duration::from_millis(1_500);
/// Characters of an answer that findings quote.
const QUOTED: usize = 80;

/// Whether a model does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "why", rename_all = "snake_case")]
pub enum Finding {
    /// It does.
    Yes,
    /// It does not, and why that is thought.
    No(String),
    /// It cannot be told, and why not.
    Unclear(String),
}

/// What was found out about a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// It takes audio and understands it.
    pub audio: Finding,
    /// It takes two recordings in one conversation.
    pub two_clips: Finding,
    /// It tells the recordings of a conversation apart, by their order.
    pub order: Finding,
    /// It still hears when there are tools.
    pub audio_with_tools: Finding,
    /// It counts tokens while it streams.
    pub usage: Finding,
    /// It stops when nobody listens any more.
    pub aborts: Finding,
    /// It thinks before it speaks.
    pub thinks: bool,
    /// How long its first token took for a short question, in milliseconds.
    pub first_token_ms: u64,
}

impl Findings {
    /// Whether it can be given audio. A model that takes it and is not understood by us gets the benefit of the doubt.
    #[must_use]
    pub const fn hears(&self) -> bool {
        !matches!(self.audio, Finding::No(_))
    }

    /// All that is either so or not, by name.
    #[must_use]
    pub fn by_name(&self) -> [(&'static str, &Finding); 6] {
        [
            ("takes audio", &self.audio),
            ("takes two recordings", &self.two_clips),
            ("keeps their order", &self.order),
            ("hears with tools", &self.audio_with_tools),
            ("counts tokens", &self.usage),
            ("stops when told", &self.aborts),
        ]
    }
}

/// Finds out what a model can do, in six or fewer short runs. Fails if it does not work at all.
pub async fn probe(model: &dyn LanguageModel) -> Result<Findings, Failure> {
    let plain = answer(model, request("Answer with one short sentence.", vec![said("Are you ready?")])).await;
    if let Some(failure) = plain.failure {
        return Err(failure);
    }
    let mut findings = Findings {
        audio: Finding::No("the configuration says that it does not hear".to_owned()),
        two_clips: Finding::Unclear("it takes no audio".to_owned()),
        order: Finding::Unclear("it takes no audio".to_owned()),
        audio_with_tools: Finding::Unclear("it takes no audio".to_owned()),
        usage: if plain.counted { Finding::Yes } else { Finding::No("it did not say".to_owned()) },
        aborts: aborts(model, plain.first_token).await,
        thinks: plain.thinks,
        first_token_ms: millis(plain.first_token),
    };
    if model.capabilities().audio {
        listen(model, &mut findings).await?;
    }
    Ok(findings)
}

async fn listen(model: &dyn LanguageModel, findings: &mut Findings) -> Result<(), Failure> {
    let (first, second) = (speech(WORDS[0]).await, speech(WORDS[1]).await);
    let hearing = |tools: bool| {
        let mut asked = request(REPEAT, vec![spoken(0)]);
        asked.clips.insert(TurnId(0), first.clone().into());
        if tools {
            asked.prompt.tools = [tool()].into();
        }
        asked
    };
    let heard = answer(model, hearing(false)).await;
    findings.audio = heard.finding(WORDS[0])?;
    if !findings.hears() {
        return Ok(());
    }
    let mut both = request(REPEAT, vec![spoken(0), agent(WORDS[0]), spoken(1)]);
    both.clips.insert(TurnId(0), first.clone().into());
    both.clips.insert(TurnId(1), second.into());
    let both = answer(model, both).await;
    findings.two_clips = both.accepted()?;
    findings.order = match (&findings.two_clips, both.says(WORDS[0]), both.says(WORDS[1])) {
        (Finding::No(_) | Finding::Unclear(_), _, _) => Finding::Unclear("it takes one recording".to_owned()),
        (Finding::Yes, false, true) => Finding::Yes,
        (Finding::Yes, true, _) => Finding::No(format!("of the second it said {:?}", both.quoted())),
        (Finding::Yes, false, false) => {
            Finding::Unclear(format!("of the second it said {:?}", both.quoted()))
        }
    };
    let with_tools = answer(model, hearing(true)).await;
    findings.audio_with_tools = match (with_tools.finding(WORDS[0])?, &findings.audio) {
        // It hears well without tools, and with them something else.
        (Finding::Unclear(why), Finding::Yes) if !with_tools.called => Finding::No(why),
        (finding, _) => finding,
    };
    Ok(())
}

/// Breaks an answer off and looks whether the next one waits for it.
async fn aborts(model: &dyn LanguageModel, usual: Duration) -> Finding {
    let mut long = model.generate(request(
        "You do as you are told.",
        vec![said("Count from one to five hundred in words, without leaving any out.")],
    ));
    loop {
        match long.next().await {
            Some(RunEvent::Text(_)) => break,
            Some(RunEvent::Note(_)) => {}
            Some(RunEvent::ToolCall(_) | RunEvent::Finished | RunEvent::Failed(_)) | None => {
                return Finding::Unclear("there was no long answer to break off".to_owned());
            }
        }
    }
    drop(long);
    let next =
        answer(model, request("Answer with one short sentence.", vec![said("Are you still there?")])).await;
    if next.failure.is_some() {
        return Finding::Unclear("the answer behind the one that was broken off failed".to_owned());
    }
    if next.first_token <= usual * 2 + ABORT_SLACK {
        Finding::Yes
    } else {
        Finding::No(format!(
            "behind an answer that was broken off, the next one began after {} ms instead of {} ms",
            millis(next.first_token),
            millis(usual)
        ))
    }
}

/// What a run came to.
#[derive(Debug, Default)]
struct Answer {
    text: String,
    counted: bool,
    thinks: bool,
    called: bool,
    first_token: Duration,
    failure: Option<Failure>,
}

impl Answer {
    /// Whether it was asked in a way that the model takes. A backend that does not work says nothing about that.
    fn accepted(&self) -> Result<Finding, Failure> {
        match &self.failure {
            None => Ok(Finding::Yes),
            Some(Failure { fault: Fault::Request, reason, .. }) => Ok(Finding::No(reason.to_string())),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// Whether it was taken and heard.
    fn finding(&self, word: &str) -> Result<Finding, Failure> {
        Ok(match self.accepted()? {
            Finding::Yes if !self.says(word) => {
                Finding::Unclear(format!("of the word {word:?} it said {:?}", self.quoted()))
            }
            finding @ (Finding::Yes | Finding::No(_) | Finding::Unclear(_)) => finding,
        })
    }

    fn says(&self, word: &str) -> bool {
        self.text.to_lowercase().contains(word)
    }

    fn quoted(&self) -> String {
        self.text.trim().chars().take(QUOTED).collect()
    }
}

async fn answer(model: &dyn LanguageModel, request: Request) -> Answer {
    let began = Instant::now();
    let mut answer = Answer::default();
    let mut events = model.generate(request);
    let mut first = true;
    while let Some(event) = events.next().await {
        match event {
            RunEvent::Text(text) => {
                if std::mem::take(&mut first) {
                    answer.first_token = began.elapsed();
                }
                answer.text.push_str(&text);
            }
            RunEvent::ToolCall(_) => answer.called = true,
            RunEvent::Note(Note::Usage(_)) => answer.counted = true,
            RunEvent::Note(Note::Thinks) => answer.thinks = true,
            RunEvent::Note(Note::Asked(_) | Note::Fallback(_)) | RunEvent::Finished => {}
            RunEvent::Failed(failure) => answer.failure = Some(failure),
        }
    }
    if first {
        answer.first_token = began.elapsed();
    }
    answer
}

/// The built-in voice, as the user's.
pub(super) async fn speech(text: &str) -> Arc<[i16]> {
    let voice = Flite::new();
    let mut samples = Vec::new();
    let mut events = voice.speak(text_to_speech::Request { text: text.into(), language: None, sample: None });
    while let Some(event) = events.next().await {
        if let SpeechEvent::Audio(audio) = event {
            samples.extend(audio);
        }
    }
    let (from, to) = (voice.capabilities().sample_rate, antiphon_audio::SampleRate::EAR);
    let mut resampler = antiphon_audio::Resampler::new(from, to);
    let mut heard = Vec::new();
    resampler.process(&samples, &mut heard);
    resampler.flush(&mut heard);
    heard.into()
}

pub(super) fn request(system: &str, messages: Vec<Message>) -> Request {
    let prompt = Prompt {
        system: Some(system.into()),
        messages,
        instruction: None,
        tools: [].into(),
        temperature: 0.0,
        model: "probe".into(),
        language: None,
    };
    Request { prompt, clips: Clips::default() }
}

pub(super) fn said(text: &str) -> Message {
    message(MessageBody::User { text: text.into(), audio: None })
}

pub(super) fn agent(text: &str) -> Message {
    message(MessageBody::Agent { heard: text.into(), generated: text.into() })
}

pub(super) fn spoken(turn: u32) -> Message {
    let span = AudioSpan { turn: TurnId(turn), from: AudioTime::ZERO, to: AudioTime::ZERO };
    message(MessageBody::User { text: "".into(), audio: Some(span) })
}

fn message(body: MessageBody) -> Message {
    Message { body, medium: Medium::Voice, ordinal: None, span: None }
}

fn tool() -> ToolForModel {
    ToolForModel {
        name: "orderTaxi".into(),
        description: "Orders a taxi. Only when the user asks for one.".into(),
        parameters: serde_json::json!({
            "type": "object",
            "properties": {"address": {"type": "string"}},
            "required": ["address"],
        })
        .into(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A model that can be probed.
#[derive(Clone)]
pub struct Subject {
    /// Its configured name.
    pub name: Arc<str>,
    /// Where it is and what it is called there, without secrets: findings hold for that.
    pub place: String,
    /// The model.
    pub model: Probed,
    /// Whether it may be asked without anybody's wish.
    pub allowed: bool,
    /// Whether asking it may cost money.
    pub paid: bool,
}

/// A model that heeds what was found out about it.
#[derive(Clone)]
pub struct Probed {
    model: Arc<dyn LanguageModel>,
    deaf: Arc<AtomicBool>,
}

impl Probed {
    /// A model of which nothing is known yet but what its configuration says.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>) -> Self {
        Self { model, deaf: Arc::default() }
    }

    /// The model as it is configured, to be probed.
    #[must_use]
    pub fn unheeding(&self) -> &Arc<dyn LanguageModel> {
        &self.model
    }

    /// Heeds findings from now on: a model that takes no audio is given transcripts.
    pub fn heed(&self, findings: &Findings) {
        self.deaf.store(self.model.capabilities().audio && !findings.hears(), Ordering::Relaxed);
    }
}

impl LanguageModel for Probed {
    fn capabilities(&self) -> Capabilities {
        let own = self.model.capabilities();
        if self.deaf.load(Ordering::Relaxed) {
            Capabilities { audio: false, clips: 0, found_deaf: true, ..own }
        } else {
            own
        }
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        self.model.generate(self.given(request))
    }

    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()> {
        self.model.warm_up(self.given(request))
    }
}

impl Probed {
    fn given(&self, request: Request) -> Request {
        if self.deaf.load(Ordering::Relaxed) {
            Request { clips: Clips::default(), ..request }
        } else {
            request
        }
    }
}
