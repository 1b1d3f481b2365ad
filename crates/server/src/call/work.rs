//! Runs what a conversation wants from its backends: each piece of work is a task, its results come back with its id.
//!
//! Owns the tasks; dropping it stops them all. Results go through one bounded queue, so a backend that is faster than the call
//! waits for it. Converts audio to the rate at which the call keeps it on the way. A backend that panics fails this one piece of work. Does not know
//! what a result means.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_audio::{Clip, DtmfKey, Resampler, SampleRate, write_pcm};
use antiphon_backends::language_model::{self, Failure, LanguageModel, Note, RunEvent};
use antiphon_backends::speech_to_text::{self, Heard, Listener, Overheard, SpeechToText};
use antiphon_backends::text_to_speech::{self, FellBack, SpeechEvent, TextToSpeech};
use antiphon_backends::turn_detection::Judge;
use antiphon_engine::Input;
use antiphon_engine::ids::{GenerationId, InvocationId, TurnId, UtteranceId};
use antiphon_engine::input::{ModelEvent, Tones, ToolOutcome, Transcription, VoiceEvent, WordEnd};
use antiphon_engine::output::Work;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error};

use super::stages::Prepared;
use crate::tools::Finished;

/// Results that may wait for the call.
const RESULTS: usize = 64;
/// The longest audio that one utterance may have; a voice that gives more has lost its way.
const LONGEST_UTTERANCE: Duration = Duration::from_secs(120);

/// Something that a backend produced. Small, since a call has room for many that wait.
#[derive(Debug)]
pub(super) enum WorkResult {
    Model(GenerationId, ModelEvent),
    /// How a run of the model comes about.
    Noted(GenerationId, Note),
    /// Words, and how long the recognizer took.
    Transcribed(TurnId, Box<Heard>, Duration),
    /// A session with a recognizer told something.
    Overheard(u32, Overheard),
    Tool(InvocationId, Box<Finished>),
    /// What came of the stages that were asked for.
    Staged(Box<(Input, Vec<Prepared>)>),
    TurnJudged(TurnId, f32),
    /// Audio at the rate that was asked for.
    Audio(UtteranceId, Bytes),
    Voice(UtteranceId, VoiceEvent),
    /// Another voice speaks.
    FellBack(FellBack),
}

pub(super) struct Works {
    tasks: JoinSet<()>,
    running: HashMap<Work, AbortHandle>,
    /// What the model reads in advance; stopped when it is asked in earnest.
    warm_up: Option<AbortHandle>,
    results: mpsc::Receiver<WorkResult>,
    sender: mpsc::Sender<WorkResult>,
}

impl Works {
    pub(super) fn new() -> Self {
        let (sender, results) = mpsc::channel(RESULTS);
        Self { tasks: JoinSet::new(), running: HashMap::new(), warm_up: None, results, sender }
    }

    /// The next result. Finished tasks are collected on the way. The queue never closes, since the sender is kept beside it.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<WorkResult> {
        match self.results.poll_recv(cx) {
            Poll::Ready(Some(result)) => {
                while self.tasks.try_join_next().is_some() {}
                Poll::Ready(result)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Stops a piece of work. Results that are under way are recognised by their id.
    pub(super) fn cancel(&mut self, work: Work) {
        if let Some(task) = self.running.remove(&work) {
            task.abort();
        }
    }

    /// Has the model read a conversation before it is asked. Nobody waits for it.
    pub(super) fn start_warm_up(&mut self, model: &Arc<dyn LanguageModel>, request: language_model::Request) {
        self.stop_warm_up();
        let model = Arc::clone(model);
        self.warm_up = Some(self.tasks.spawn(async move { model.warm_up(request).await }.in_current_span()));
    }

    fn stop_warm_up(&mut self) {
        if let Some(task) = self.warm_up.take() {
            task.abort();
        }
    }

    pub(super) fn start_model(
        &mut self,
        id: GenerationId,
        model: &Arc<dyn LanguageModel>,
        request: language_model::Request,
    ) {
        // It would take the place of the question.
        self.stop_warm_up();
        let sender = self.sender.clone();
        let model = Arc::clone(model);
        let failed = move |why| WorkResult::Model(id, ModelEvent::Failed(why));
        self.start(Work::Model(id), failed, async move {
            let mut events = model.generate(request);
            let mut ended = false;
            while let Some(event) = events.next().await {
                ended = matches!(event, RunEvent::Finished | RunEvent::Failed(_));
                let result = match event {
                    RunEvent::Text(text) => WorkResult::Model(id, ModelEvent::Text(text)),
                    RunEvent::ToolCall(call) => WorkResult::Model(id, ModelEvent::ToolCall(call)),
                    RunEvent::Note(note) => WorkResult::Noted(id, note),
                    RunEvent::Finished => WorkResult::Model(id, ModelEvent::Finished),
                    RunEvent::Failed(Failure { reason, .. }) => {
                        WorkResult::Model(id, ModelEvent::Failed(reason))
                    }
                };
                if sender.send(result).await.is_err() || ended {
                    break;
                }
            }
            if !ended {
                let failed = ModelEvent::Failed(Arc::from("the stream ended too early"));
                let _ = sender.send(WorkResult::Model(id, failed)).await;
            }
        });
    }

    /// Has a text spoken. Its audio comes at the rate `kept`, where its words end is told in samples of the output.
    pub(super) fn start_speech(
        &mut self,
        id: UtteranceId,
        voice: &Arc<dyn TextToSpeech>,
        request: text_to_speech::Request,
        kept: SampleRate,
        output: SampleRate,
    ) {
        let sender = self.sender.clone();
        let voice = Arc::clone(voice);
        let failed = move |why| WorkResult::Voice(id, VoiceEvent::Failed(why));
        self.start(Work::Speech(id), failed, async move {
            let mut converter = Converter::new(voice.capabilities().sample_rate, kept);
            let mut events = voice.speak(request);
            while let Some(event) = events.next().await {
                let ended = match event {
                    SpeechEvent::Audio(samples) => {
                        converter.convert(&samples);
                        if converter.is_too_long() {
                            let failed = VoiceEvent::Failed(Arc::from("the voice did not come to an end"));
                            let _ = sender.send(WorkResult::Voice(id, failed)).await;
                            return;
                        }
                        !converter.give(id, &sender).await
                    }
                    SpeechEvent::Words(words) => {
                        let words = VoiceEvent::Words(converter.words(&words, output));
                        sender.send(WorkResult::Voice(id, words)).await.is_err()
                    }
                    SpeechEvent::FellBack(event) => sender.send(WorkResult::FellBack(event)).await.is_err(),
                    SpeechEvent::Finished => {
                        converter.finish();
                        converter.give(id, &sender).await;
                        let _ = sender.send(WorkResult::Voice(id, VoiceEvent::Finished)).await;
                        return;
                    }
                    SpeechEvent::Failed(why) => {
                        let _ = sender.send(WorkResult::Voice(id, VoiceEvent::Failed(why))).await;
                        return;
                    }
                };
                if ended {
                    return;
                }
            }
            let failed = VoiceEvent::Failed(Arc::from("the stream ended too early"));
            let _ = sender.send(WorkResult::Voice(id, failed)).await;
        });
    }

    /// Makes the sound of keys, in the call's own format.
    pub(super) fn start_tones(&mut self, id: UtteranceId, tones: Tones, rate: SampleRate) {
        let sender = self.sender.clone();
        let failed = move |why| WorkResult::Voice(id, VoiceEvent::Failed(why));
        self.start(Work::Speech(id), failed, async move {
            let (mut samples, mut bytes) = (Vec::new(), Vec::new());
            for (index, key) in tones.keys.chars().filter_map(DtmfKey::new).enumerate() {
                if index > 0 {
                    samples.resize(usize::try_from(rate.samples_in(tones.space)).unwrap_or(0), 0);
                }
                key.press(tones.tone, rate, &mut samples);
                write_pcm(&samples, &mut bytes);
                samples.clear();
                let audio = Bytes::from(std::mem::take(&mut bytes));
                if sender.send(WorkResult::Audio(id, audio)).await.is_err() {
                    return;
                }
            }
            let _ = sender.send(WorkResult::Voice(id, VoiceEvent::Finished)).await;
        });
    }

    /// Has a whole turn transcribed; `instead` says why another one did not.
    pub(super) fn start_transcription(
        &mut self,
        id: TurnId,
        recognizer: &Arc<dyn SpeechToText>,
        request: speech_to_text::Request,
        instead: Option<Arc<str>>,
    ) {
        let sender = self.sender.clone();
        let recognizer = Arc::clone(recognizer);
        let began = Instant::now();
        let failed = move |why| {
            let heard = Heard::by(&Arc::from("a recognizer"), Transcription::Failed(why));
            WorkResult::Transcribed(id, Box::new(heard), began.elapsed())
        };
        self.start(Work::Transcription(id), failed, async move {
            let mut heard = recognizer.transcribe(request).await;
            heard.instead = heard.instead.or(instead);
            let _ = sender.send(WorkResult::Transcribed(id, Box::new(heard), began.elapsed())).await;
        });
    }

    /// Passes on what a session with a recognizer tells. It ends by itself when nobody speaks to it any more, and may say goodbye
    /// when the call is over already.
    pub(super) fn start_listening(&self, session: u32, listener: Listener, tasks: &TaskTracker) {
        let sender = self.sender.clone();
        let task = async move {
            let Listener { mut told, .. } = listener;
            let passing_on = async {
                while let Some(overheard) = told.next().await {
                    // Told to nobody once the call is over.
                    let _ = sender.send(WorkResult::Overheard(session, overheard)).await;
                }
            };
            if AssertUnwindSafe(passing_on).catch_unwind().await.is_err() {
                error!(session, "a recognizer panicked; this is a bug in it");
                let failed = Overheard::Failed(Arc::from("the recognizer panicked"));
                let _ = sender.send(WorkResult::Overheard(session, failed)).await;
            }
        };
        tasks.spawn(task.in_current_span());
    }

    pub(super) fn start_tool(
        &mut self,
        id: InvocationId,
        tool: impl Future<Output = Finished> + Send + 'static,
    ) {
        let sender = self.sender.clone();
        let failed = move |detail| {
            let outcome = ToolOutcome::Failed { text: Arc::from("The tool failed."), detail };
            WorkResult::Tool(id, Box::new(Finished::failed(outcome)))
        };
        self.start(Work::Tool(id), failed, async move {
            let finished = tool.await;
            let _ = sender.send(WorkResult::Tool(id, Box::new(finished))).await;
        });
    }

    /// Works out stages; if a tool asks for them, for as long as the tool may run.
    pub(super) fn start_staging(
        &mut self,
        tool: Option<InvocationId>,
        staging: impl Future<Output = WorkResult> + Send + 'static,
    ) {
        let sender = self.sender.clone();
        let task = async move {
            let _ = sender.send(staging.await).await;
        };
        let handle = self.tasks.spawn(task.in_current_span());
        if let Some(id) = tool {
            self.running.insert(Work::Tool(id), handle);
        }
    }

    /// Has a pause judged. Without an opinion there is no result, and the turn ends as without a detector.
    pub(super) fn start_judgement(&mut self, id: TurnId, judge: &Arc<Judge>, clip: Clip) {
        let sender = self.sender.clone();
        let judge = Arc::clone(judge);
        self.tasks.spawn(async move {
            if let Some(probability) = judge.end_of_turn(clip).await {
                let _ = sender.send(WorkResult::TurnJudged(id, probability)).await;
            }
        });
    }

    /// Runs a piece of work; `failed` is its result should its backend panic.
    fn start(
        &mut self,
        work: Work,
        failed: impl FnOnce(Arc<str>) -> WorkResult + Send + 'static,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.running.retain(|_, task| !task.is_finished());
        let sender = self.sender.clone();
        let task = async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                error!(?work, "a backend panicked; this is a bug in it");
                let _ = sender.send(failed(Arc::from("the backend panicked"))).await;
            }
        };
        let handle = self.tasks.spawn(task.in_current_span());
        self.running.insert(work, handle);
    }
}

/// Brings a voice's audio to the rate at which the call keeps it: one resampler for the whole utterance.
struct Converter {
    resampler: Resampler,
    samples: Vec<i16>,
    given: u64,
    most: u64,
}

impl Converter {
    fn new(from: SampleRate, to: SampleRate) -> Self {
        Self {
            resampler: Resampler::new(from, to),
            samples: Vec::new(),
            given: 0,
            most: to.samples_in(LONGEST_UTTERANCE),
        }
    }

    fn convert(&mut self, samples: &[i16]) {
        self.resampler.process(samples, &mut self.samples);
    }

    fn finish(&mut self) {
        self.resampler.flush(&mut self.samples);
    }

    fn is_too_long(&self) -> bool {
        self.given + self.samples.len() as u64 > self.most
    }

    /// Word ends in samples of the call's output rate.
    fn words(&self, words: &[WordEnd], output: SampleRate) -> Arc<[WordEnd]> {
        let (from, to) = (u64::from(self.resampler.from().hz()), u64::from(output.hz()));
        words
            .iter()
            .map(|word| WordEnd {
                text: word.text,
                samples: u32::try_from(u64::from(word.samples) * to / from).unwrap_or(u32::MAX),
            })
            .collect()
    }

    /// Hands over what is converted. Returns whether anybody takes it.
    async fn give(&mut self, id: UtteranceId, sender: &mpsc::Sender<WorkResult>) -> bool {
        if self.samples.is_empty() {
            return true;
        }
        self.given += self.samples.len() as u64;
        let mut bytes = Vec::with_capacity(self.samples.len() * 2);
        write_pcm(&self.samples, &mut bytes);
        self.samples.clear();
        // Shared from the beginning, so that sending frames of it allocates nothing.
        sender.send(WorkResult::Audio(id, Bytes::from_owner(bytes))).await.is_ok()
    }
}
