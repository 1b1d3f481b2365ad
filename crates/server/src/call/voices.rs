//! The voices of this server by id and by name (protocol.md 7.4).
//!
//! A voice's id follows from its name, so that it is the same after every start and on every server of one configuration.

use std::sync::Arc;

use antiphon_api::VoiceId;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use sha2::{Digest as _, Sha256};
use uuid::{Uuid, uuid};

/// Voices whose ids are published, since clients know them by those (protocol.md 7.4).
const PUBLISHED: [(&str, Uuid); 2] = [
    ("Jessica", uuid!("b0e6b5c1-3100-44d5-8578-9015aa3023ae")),
    ("Mark", uuid!("91fa9bcf-93c8-467c-8b29-973720e3f167")),
];

/// The id of the voice with this name.
#[must_use]
pub fn id(name: &str) -> VoiceId {
    if let Some((_, id)) = PUBLISHED.iter().find(|(published, _)| *published == name) {
        return VoiceId::new(*id);
    }
    let hash = Sha256::new().chain_update(b"voice ").chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    VoiceId::new(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// The voice with this name or id.
pub(super) fn find<'b>(backends: &'b Backends, wanted: &str) -> Option<&'b Arc<dyn TextToSpeech>> {
    backends.voices.get(wanted).or_else(|| {
        let wanted = wanted.parse().ok()?;
        let mut voices = backends.voices.iter();
        voices.find(|(name, _)| id(name) == wanted).map(|(_, voice)| voice)
    })
}

/// The words by which calls ask for the voice with this id; `None` is asking for none and getting the default one.
#[must_use]
pub fn spellings(backends: &Backends, wanted: VoiceId) -> Vec<Option<String>> {
    let mut spellings = vec![Some(wanted.to_string())];
    for name in backends.voices.keys().filter(|name| id(name) == wanted) {
        spellings.push(Some(name.to_string()));
        if *name == backends.default_voice {
            spellings.push(None);
        }
    }
    spellings
}
