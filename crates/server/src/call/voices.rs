//! The voices of this server by id and by name (protocol.md 7.4), and below them the accounts' own.
//!
//! A public voice's id follows from its name, so that it is the same after every start and on every server of one configuration.

pub(crate) mod definition;
pub(crate) mod own;
pub(crate) mod samples;

use std::sync::Arc;

use antiphon_api::VoiceId;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::provider::Definition;
use sha2::{Digest as _, Sha256};
use uuid::{Uuid, uuid};

/// Voices of the hosted service that clients know by their names, and those whose ids they know (protocol.md 7.4). Where the server
/// has no voice of such a name, its default voice goes by it.
const PUBLISHED: [(&str, Option<Uuid>); 4] = [
    ("Jessica", Some(uuid!("b0e6b5c1-3100-44d5-8578-9015aa3023ae"))),
    ("Mark", Some(uuid!("91fa9bcf-93c8-467c-8b29-973720e3f167"))),
    ("Shaun", None),
    ("Tanya-English", None),
];

/// A voice that everybody may use.
pub(crate) struct PublicVoice<'b> {
    /// The name that it goes by.
    pub(crate) name: &'b str,
    /// What speaks.
    pub(crate) voice: &'b Arc<dyn TextToSpeech>,
    /// Whether the name is one of the hosted service, and the voice this server's default one.
    pub(crate) stands_in: bool,
}

/// All voices that everybody may use: the server's by name, then those that stand in for published ones.
pub(crate) fn public(backends: &Backends) -> impl Iterator<Item = PublicVoice<'_>> {
    let own = backends.voices.iter();
    let own = own.map(|(name, voice)| PublicVoice { name, voice, stands_in: false });
    let published = PUBLISHED.iter().filter(|(name, _)| !backends.voices.contains_key(*name));
    let default = backends.voices.get(&backends.default_voice);
    let published = published.zip(default.into_iter().cycle()).map(|((name, _), voice)| PublicVoice {
        name,
        voice,
        stands_in: true,
    });
    own.chain(published)
}

/// The id of the public voice with this name.
#[must_use]
pub fn id(name: &str) -> VoiceId {
    let published = PUBLISHED.iter().find(|(published, _)| *published == name);
    if let Some((_, Some(id))) = published {
        return VoiceId::new(*id);
    }
    let hash = Sha256::new().chain_update(b"voice ").chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    VoiceId::new(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// The public voice with this name or id.
pub(super) fn find<'b>(backends: &'b Backends, wanted: &str) -> Option<&'b Arc<dyn TextToSpeech>> {
    let by_id: Option<VoiceId> = wanted.parse().ok();
    public(backends)
        .find(|voice| voice.name == wanted || by_id.is_some_and(|wanted| id(voice.name) == wanted))
        .map(|voice| voice.voice)
}

/// What a provider is asked for the public voice with this name or id, if it is a provider's.
pub(super) fn definition_of<'b>(backends: &'b Backends, wanted: &str) -> Option<&'b Definition> {
    let by_id: Option<VoiceId> = wanted.parse().ok();
    let mut known = backends.voice_definitions.iter();
    let found = known.find(|(name, _)| ***name == *wanted || by_id.is_some_and(|wanted| id(name) == wanted));
    found.map(|(_, definition)| definition)
}

/// The words by which calls ask for the voice with this id, which is the account's own if it is given; `None` is asking for none and
/// getting the default one.
#[must_use]
pub fn spellings(backends: &Backends, wanted: VoiceId, own: Option<&str>) -> Vec<Option<String>> {
    let mut spellings = vec![Some(wanted.to_string())];
    spellings.extend(own.map(|name| Some(name.to_owned())));
    for voice in public(backends).filter(|voice| id(voice.name) == wanted) {
        spellings.push(Some(voice.name.to_owned()));
        if *voice.name == *backends.default_voice {
            spellings.push(None);
        }
    }
    spellings
}
