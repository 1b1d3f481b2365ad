//! Whisper in this process: a model's file, which the operator brings, run by whisper.cpp.
//!
//! Owns the loading of the file, the threads that turns are transcribed on, and what is made of the model's segments. It must not
//! know what the words are for.

mod file;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::input::Transcription;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
    get_lang_id, get_lang_str,
};

pub use self::file::Problem;
use super::segment::{Segment, without_loops};
use super::{Heard, Request, SpeechToText};

/// How operators come by a model.
const REMEDY: &str = "give the path of a model of whisper.cpp, such as ggml-base.en.bin of ggerganov/whisper.cpp on Hugging Face";
/// The longest stretch that the model hears at once, and how many positions its encoder has for that.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_POSITIONS: usize = 1_500;
/// How many more positions than the clip fills are computed where the clip alone is heard: the model is used to silence behind it.
const SPARE_POSITIONS: usize = 128;
/// whisper.cpp passes over what is shorter than 100 ms.
const LEAST_SAMPLES: usize = 3_200;
/// Tokens of a window: so many, and so many more for each second of the clip. Nobody speaks faster; a model that repeats itself does.
const FIRST_TOKENS: usize = 20;
const TOKENS_A_SECOND: usize = 20;

/// How Whisper is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The language that is assumed where the conversation has none (ISO 639-1); `None` lets the model guess.
    pub language: Option<Arc<str>>,
    /// Threads that work on one clip.
    pub threads: NonZeroUsize,
    /// Clips that are transcribed at a time; further ones wait for their turn. Each takes memory of its own.
    pub concurrency: NonZeroUsize,
    /// Whether the encoder computes as much as the clip fills, instead of 30 s whatever its length.
    pub clip_only: bool,
    /// How long an answer may take, waiting included.
    pub timeout: Duration,
}

/// A model that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its file is not right. The operator has to give another.
    #[error("{} {problem}; {REMEDY}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
    /// whisper.cpp does not take it.
    #[error("{} cannot be loaded ({reason}): there is too little memory, or it is damaged; {REMEDY}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What whisper.cpp said.
        reason: String,
    },
    /// It knows no such language.
    #[error(
        "the model knows no language {0:?}; give a code such as \"en\" or \"de\", or leave it out and the model guesses"
    )]
    Language(Arc<str>),
    /// It knows English only.
    #[error(
        "the model is for English only, not for {0:?}; give one without \".en\" in its name, or leave language out"
    )]
    EnglishOnly(Arc<str>),
}

/// Whisper, ready.
#[derive(Clone)]
pub struct Whisper(Arc<Pool>);

struct Pool {
    /// What it is called in what is told about it: the file's name.
    name: Arc<str>,
    context: WhisperContext,
    languages: Languages,
    settings: Settings,
    turns: Arc<Semaphore>,
    /// Held for a push or a pop, never while waiting.
    idle: Mutex<Vec<Worker>>,
}

impl Whisper {
    /// Loads the model from this file, which takes as long as reading it does, and the memory for one clip.
    pub fn load(path: &Path, settings: Settings) -> Result<Self, LoadError> {
        let file =
            file::look_through(path).map_err(|problem| LoadError::File { path: path.to_owned(), problem })?;
        let languages = Languages::of(file.multilingual, settings.language.as_ref())?;
        // It writes to standard error otherwise.
        whisper_rs::install_logging_hooks();
        let refused =
            |error: WhisperError| LoadError::Refused { path: path.to_owned(), reason: error.to_string() };
        let context =
            WhisperContext::new_with_params(path, WhisperContextParameters::default()).map_err(refused)?;
        let first = Worker::new(&context, &settings).map_err(refused)?;
        Ok(Self(Arc::new(Pool {
            name: path.file_stem().map_or_else(|| "whisper".into(), |name| name.to_string_lossy().into()),
            context,
            languages,
            turns: Arc::new(Semaphore::new(settings.concurrency.get())),
            settings,
            idle: Mutex::new(vec![first]),
        })))
    }
}

impl SpeechToText for Whisper {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let pool = Arc::clone(&self.0);
        async move {
            let limit = pool.settings.timeout;
            let transcription = match timeout(limit, Arc::clone(&pool).words(request)).await {
                Ok(Ok(words)) => Transcription::Words(words.into()),
                Ok(Err(why)) => Transcription::Failed(format!("whisper failed: {why}").into()),
                Err(_) => Transcription::Failed(
                    format!(
                        "whisper took longer than {} ms; give it more threads or a smaller model",
                        limit.as_millis()
                    )
                    .into(),
                ),
            };
            Heard::by(&pool.name, transcription)
        }
        .boxed()
    }
}

impl Pool {
    async fn words(self: Arc<Self>, request: Request) -> Result<String, String> {
        if request.samples.is_empty() {
            return Ok(String::new());
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        // The run goes on as long as this is there, which is as long as somebody waits for it.
        let listener = Arc::new(());
        let waits = Arc::downgrade(&listener);
        let segments = spawn_blocking(move || {
            let _turn = turn;
            self.segments(&request, waits)
        });
        let segments =
            segments.await.map_err(|_| "it panicked".to_owned())?.map_err(|error| error.to_string())?;
        drop(listener);
        let words = segments.into_iter().filter(|segment| segment.is_speech() && !segment.is_sound());
        Ok(without_loops(&words.map(|segment| segment.text).collect::<String>()))
    }

    fn segments(&self, request: &Request, listener: Weak<()>) -> Result<Vec<Segment>, WhisperError> {
        let idle = self.idle().pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::new(&self.context, &self.settings)?,
        };
        let language = self.languages.of_conversation(request.language.as_deref());
        let segments = worker.hear(&request.samples.to_vec(), language, listener);
        self.idle().push(worker);
        segments
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Whisper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whisper").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// Which language a clip is taken to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Languages {
    /// The model knows no other.
    English,
    /// The model knows many; conversations that name none, or none that it knows, are in this one, or it guesses.
    Many { usually: Option<&'static str> },
}

impl Languages {
    fn of(multilingual: bool, usually: Option<&Arc<str>>) -> Result<Self, LoadError> {
        let known = match usually {
            Some(language) => Some(known(language).ok_or_else(|| LoadError::Language(Arc::clone(language)))?),
            None => None,
        };
        match (multilingual, known, usually) {
            (true, usually, _) => Ok(Self::Many { usually }),
            (false, None | Some("en"), _) => Ok(Self::English),
            (false, Some(_), language) => Err(LoadError::EnglishOnly(language.cloned().unwrap_or_default())),
        }
    }

    /// `None` lets the model guess.
    fn of_conversation(self, language: Option<&str>) -> Option<&'static str> {
        match self {
            Self::English => Some("en"),
            Self::Many { usually } => language.and_then(known).or(usually),
        }
    }
}

/// Whisper's code of a language such as `en-US`, if it knows it.
fn known(language: &str) -> Option<&'static str> {
    let primary = language.split(['-', '_']).next().unwrap_or(language).to_lowercase();
    // C ends a text at a zero.
    let id = if primary.contains('\0') { None } else { get_lang_id(&primary) };
    id.and_then(get_lang_str)
}

/// The memory that one clip at a time is transcribed in.
struct Worker {
    state: WhisperState,
    /// Who waits for the run. It is broken off when nobody does.
    listener: Arc<Mutex<Weak<()>>>,
    usual: FullParams<'static, 'static>,
    /// The parameters for each language: whisper-rs never frees what it keeps for one.
    by_language: HashMap<Option<&'static str>, FullParams<'static, 'static>>,
    /// The tokens with which an answer begins, and which stands for no speech.
    begin: i32,
    no_speech: i32,
    threads: usize,
    clip_only: bool,
}

impl Worker {
    fn new(context: &WhisperContext, settings: &Settings) -> Result<Self, WhisperError> {
        let state = context.create_state()?;
        let listener: Arc<Mutex<Weak<()>>> = Arc::default();
        let mut usual = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        usual.set_n_threads(i32::try_from(settings.threads.get()).unwrap_or(i32::MAX));
        // Each turn, and each stretch of it, for itself: models that are told what was said before say it again.
        usual.set_no_context(true);
        usual.set_n_max_text_ctx(0);
        // It goes by a number that it has not worked out (see `no_speech`).
        usual.set_no_speech_thold(f32::INFINITY);
        usual.set_suppress_nst(true);
        usual.set_print_special(false);
        usual.set_print_progress(false);
        usual.set_print_realtime(false);
        usual.set_print_timestamps(false);
        let waiting = Arc::clone(&listener);
        // Boxed here already: whisper-rs 0.16 boxes what it is given, and calls that as if it were what it was given, which only a
        // box is. It is never freed, so there is one for each worker and not for each clip.
        let given_up: Box<dyn FnMut() -> bool> = Box::new(move || {
            let listener = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            listener.strong_count() == 0
        });
        usual.set_abort_callback_safe(given_up);
        Ok(Self {
            state,
            listener,
            usual,
            by_language: HashMap::new(),
            begin: context.token_sot(),
            no_speech: context.token_nosp(),
            threads: settings.threads.get(),
            clip_only: settings.clip_only,
        })
    }

    fn hear(
        &mut self,
        samples: &[i16],
        language: Option<&'static str>,
        listener: Weak<()>,
    ) -> Result<Vec<Segment>, WhisperError> {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
        let parameters = self.by_language.entry(language).or_insert_with(|| {
            let mut parameters = self.usual.clone();
            parameters.set_language(language);
            parameters
        });
        let mut parameters = parameters.clone();
        let clip = SampleRate::EAR.duration_of(samples.len() as u64);
        let heard = clip.min(WINDOW).as_secs_f64();
        let tokens = FIRST_TOKENS + (heard * TOKENS_A_SECOND as f64) as usize;
        parameters.set_max_tokens(i32::try_from(tokens).unwrap_or(i32::MAX));
        if self.clip_only && clip < WINDOW {
            let filled = heard / WINDOW.as_secs_f64() * WINDOW_POSITIONS as f64;
            let positions = (filled.ceil() as usize + SPARE_POSITIONS).min(WINDOW_POSITIONS);
            parameters.set_audio_ctx(i32::try_from(positions).unwrap_or(0));
        }
        let mut audio: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        audio.resize(audio.len().max(LEAST_SAMPLES), 0.0);
        self.state.full(parameters, &audio)?;
        let mut segments = self
            .state
            .as_iter()
            .map(|segment| {
                let certainties: Vec<f64> = (0..segment.n_tokens())
                    .filter_map(|token| segment.get_token(token))
                    .map(|token| f64::from(token.token_data().plog))
                    .collect();
                Ok(Segment {
                    text: segment.to_str_lossy()?.into_owned(),
                    no_speech: 0.0,
                    certainty: certainties.iter().sum::<f64>() / certainties.len().max(1) as f64,
                })
            })
            .collect::<Result<Vec<_>, WhisperError>>()?;
        // A turn of more than one stretch is taken for speech.
        if !segments.is_empty() && clip <= WINDOW {
            let no_speech = self.no_speech()?;
            segments.iter_mut().for_each(|segment| segment.no_speech = no_speech);
        }
        Ok(segments)
    }

    /// How likely there was no speech in the stretch that was heard last: one more step of the decoder. What whisper.cpp says of
    /// that is read from where nothing was written, unless the model is for English only (its pull request 3945).
    fn no_speech(&mut self) -> Result<f64, WhisperError> {
        self.state.decode(&[self.begin], 0, self.threads)?;
        let logits = self.state.get_logits()?;
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from(logit - most).exp();
        let whole: f64 = logits.iter().copied().map(weight).sum();
        let logit = usize::try_from(self.no_speech).ok().and_then(|token| logits.get(token));
        Ok(logit.map_or(0.0, |logit| weight(*logit) / whole))
    }
}
