//! From configuration to backends. The only file that knows cargo features.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::language_model::LanguageModel;
use crate::speech_to_text::SpeechToText;
use crate::text_to_speech::TextToSpeech;
use crate::voice_activity::VoiceActivityFactory;

/// All backends of a server, by the names that calls choose them by.
#[derive(Clone)]
pub struct Backends {
    /// Language models by name.
    pub models: BTreeMap<Arc<str>, Arc<dyn LanguageModel>>,
    /// The model for calls that name none, and for the published aliases.
    pub default_model: Arc<str>,
    /// Voices by name.
    pub voices: BTreeMap<Arc<str>, Arc<dyn TextToSpeech>>,
    /// The voice for calls that name none.
    pub default_voice: Arc<str>,
    /// What makes transcripts, if anything.
    pub speech_to_text: Option<Arc<dyn SpeechToText>>,
    /// What notices speech.
    pub voice_activity: Arc<dyn VoiceActivityFactory>,
}
