//! Voices of providers: from the definition of a voice and a key to something that speaks.
//!
//! Owns how each provider is reached. It must not know where definitions and keys are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use antiphon_audio::SampleRate;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use reqwest::Url;

use super::cartesia::Cartesia;
pub use super::definition::{CannotOverride, Definition};
use super::eleven_labs::ElevenLabs;
use super::exchange::{Answer, Exchange, Question};
use super::fallback::Fallback;
use super::generic::{Generic, GenericVoice};
use super::google::{Google, GoogleCredential};
use super::inworld::Inworld;
use super::lmnt::Lmnt;
use super::polished::Polished;
use super::remote::{Dialect, Patience, Remote};
use super::respeecher::Respeecher;
use super::{Capabilities, Request, SpeechEvent, TextToSpeech};
use crate::http::{ApiKey, Endpoint, EndpointError};

/// Whoever has voices for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// ElevenLabs.
    ElevenLabs,
    /// Cartesia.
    Cartesia,
    /// LMNT.
    Lmnt,
    /// Google.
    Google,
    /// Inworld.
    Inworld,
    /// Respeecher.
    Respeecher,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ElevenLabs, Self::Cartesia, Self::Lmnt, Self::Google, Self::Inworld, Self::Respeecher];

    /// Its key in configuration, and in lists of voices (protocol.md 7.4).
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::ElevenLabs => "eleven_labs",
            Self::Cartesia => "cartesia",
            Self::Lmnt => "lmnt",
            Self::Google => "google",
            Self::Inworld => "inworld",
            Self::Respeecher => "respeecher",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElevenLabs => "ElevenLabs",
            Self::Cartesia => "Cartesia",
            Self::Lmnt => "LMNT",
            Self::Google => "Google",
            Self::Inworld => "Inworld",
            Self::Respeecher => "Respeecher",
        }
    }

    /// Where it is.
    const fn address(self) -> &'static str {
        match self {
            Self::ElevenLabs => "https://api.elevenlabs.io",
            Self::Cartesia => "https://api.cartesia.ai",
            Self::Lmnt => "https://api.lmnt.com",
            Self::Google => "https://texttospeech.googleapis.com",
            Self::Inworld => "https://api.inworld.ai",
            Self::Respeecher => "https://api.respeecher.com",
        }
    }
}

/// How a provider is reached.
#[derive(Debug)]
pub struct Access {
    base: Arc<Url>,
    key: Option<ApiKey>,
    /// Made when it is first used, since it reads the machine's certificates.
    endpoint: OnceLock<Result<Endpoint, String>>,
}

impl Access {
    /// A provider at its own address or at another, with the key of whoever has none.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(provider: Provider, base: Option<&str>, key: Option<ApiKey>) -> Result<Self, EndpointError> {
        let base = base.unwrap_or(provider.address());
        let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| EndpointError::Address(base.to_owned()))?;
        Ok(Self { base: Arc::new(url), key, endpoint: OnceLock::new() })
    }
}

/// A provider that nobody has a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no key for {}", .0.name())]
pub struct NoKey(pub Provider);

/// What speaks with voices of providers, and with those at addresses of users.
pub struct Providers {
    access: BTreeMap<Provider, Arc<Access>>,
    patience: Patience,
    others: Vec<(Arc<str>, Arc<dyn TextToSpeech>)>,
    cool_down: Duration,
}

impl Default for Providers {
    /// All of them at their own addresses, without keys.
    fn default() -> Self {
        let access = |provider| {
            let access = Access::new(provider, None, None).expect("the providers' own addresses are some");
            (provider, access)
        };
        Self::new(Provider::ALL.map(access).into(), Patience::default())
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Providers {
    /// Providers that are reached like this.
    #[must_use]
    pub fn new(access: BTreeMap<Provider, Access>, patience: Patience) -> Self {
        let access = access.into_iter().map(|(provider, access)| (provider, Arc::new(access))).collect();
        Self { access, patience, others: Vec::new(), cool_down: Duration::ZERO }
    }

    /// The same, with voices that stand in for those that cannot speak.
    #[must_use]
    pub fn with_fallbacks(self, others: Vec<(Arc<str>, Arc<dyn TextToSpeech>)>, cool_down: Duration) -> Self {
        Self { others, cool_down, ..self }
    }

    /// Whether there is a key for accounts that have none of their own.
    #[must_use]
    pub fn has_key(&self, provider: Provider) -> bool {
        self.access.get(&provider).is_some_and(|access| access.key.is_some())
    }

    /// What speaks with a provider's voice, with this key or else the server's.
    ///
    /// # Errors
    /// There is neither.
    pub fn voice(
        &self,
        definition: Definition,
        own_key: Option<&ApiKey>,
    ) -> Result<Arc<dyn TextToSpeech>, NoKey> {
        let provider = definition.provider();
        let access = self.access.get(&provider).ok_or(NoKey(provider))?;
        let key = own_key.or(access.key.as_ref()).ok_or(NoKey(provider))?;
        let (base, key) = (Arc::clone(&access.base), key.secret());
        let exchange = Arc::new(Lazy(Arc::clone(access)));
        Ok(match definition {
            Definition::ElevenLabs(voice) => self.remote(exchange, ElevenLabs { voice, base, key }),
            Definition::Cartesia(voice) => self.remote(exchange, Cartesia { voice, base, key }),
            Definition::Lmnt(voice) => self.remote(exchange, Lmnt { voice, base, key }),
            Definition::Google(voice) => {
                let credential = GoogleCredential::new(&key);
                self.remote(exchange, Google { voice, base, credential })
            }
            Definition::Inworld(voice) => self.remote(exchange, Inworld { voice, base, key }),
            Definition::Respeecher(voice) => self.remote(exchange, Respeecher { voice, base, key }),
        })
    }

    /// What speaks with a voice at a user's address, which `exchange` may dial.
    #[must_use]
    pub fn generic(&self, voice: GenericVoice, exchange: Arc<dyn Exchange>) -> Arc<dyn TextToSpeech> {
        self.remote(exchange, Generic::new(voice))
    }

    /// What stands for a voice that cannot speak: it says why, or lets others speak where there are any.
    #[must_use]
    pub fn silent(&self, name: &str, why: &str) -> Arc<dyn TextToSpeech> {
        self.backed(name.into(), Arc::new(Silent(why.into())))
    }

    fn remote(&self, exchange: Arc<dyn Exchange>, dialect: impl Dialect) -> Arc<dyn TextToSpeech> {
        let name = dialect.name().into();
        self.backed(name, Arc::new(Polished::new(Arc::new(Remote::new(exchange, dialect, self.patience)))))
    }

    fn backed(&self, name: Arc<str>, voice: Arc<dyn TextToSpeech>) -> Arc<dyn TextToSpeech> {
        if self.others.is_empty() {
            return voice;
        }
        Arc::new(Fallback::new((name, voice), self.others.clone(), self.cool_down))
    }
}

/// A provider whose client is made when it is first asked.
struct Lazy(Arc<Access>);

impl Exchange for Lazy {
    fn put(&self, question: Question) -> BoxFuture<'static, Result<Answer, String>> {
        let Access { base, endpoint, .. } = &*self.0;
        let made =
            endpoint.get_or_init(|| Endpoint::new(base.as_str(), None).map_err(|error| error.to_string()));
        match made {
            Ok(endpoint) => endpoint.put(question),
            Err(why) => {
                let why = format!("cannot be asked: {why}");
                Box::pin(async { Err(why) })
            }
        }
    }
}

/// A voice that cannot speak, and why.
struct Silent(Arc<str>);

impl TextToSpeech for Silent {
    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(24_000).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: false, clones: false }
    }

    fn speak(&self, _: Request) -> BoxStream<'static, SpeechEvent> {
        stream::iter([SpeechEvent::Failed(Arc::clone(&self.0))]).boxed()
    }
}
