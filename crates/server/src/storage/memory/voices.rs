//! Voices in memory.

use antiphon_api::VoiceId;

use super::super::{AccountId, MostVoices, Pending, StoredVoice, VoiceKeeping, VoiceSource, VoiceStore};
use super::Memory;

impl VoiceStore for Memory {
    fn insert_voice<'a>(&'a self, voice: &'a StoredVoice, most: MostVoices) -> Pending<'a, VoiceKeeping> {
        self.at_once(|contents| {
            let own = || contents.voices.iter().filter(|known| known.account == voice.account);
            let is_recording = |voice: &StoredVoice| matches!(voice.source, VoiceSource::Recording(_));
            let recordings = own().filter(|known| is_recording(known)).count();
            if own().any(|known| known.name == voice.name) {
                return Ok(VoiceKeeping::NameTaken);
            }
            let too_many_recordings = is_recording(voice) && recordings >= most.recordings as usize;
            if own().count() >= most.all as usize || too_many_recordings {
                return Ok(VoiceKeeping::TooMany);
            }
            contents.voices.push(StoredVoice { changes: 0, ..voice.clone() });
            contents.voices.sort_by_key(|voice| (voice.created, voice.id));
            Ok(VoiceKeeping::Kept)
        })
    }

    fn find_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>> {
        self.at_once(|contents| {
            Ok(contents.voices.iter().find(|voice| voice.id == id && voice.account == account).cloned())
        })
    }

    fn voice_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Option<StoredVoice>> {
        self.at_once(|contents| {
            let is_it = |voice: &&StoredVoice| voice.account == account && voice.name == name;
            Ok(contents.voices.iter().find(is_it).cloned())
        })
    }

    fn voices(&self, account: AccountId) -> Pending<'_, Vec<StoredVoice>> {
        self.at_once(|contents| {
            Ok(contents.voices.iter().filter(|voice| voice.account == account).cloned().collect())
        })
    }

    fn update_voice<'a>(&'a self, voice: &'a StoredVoice) -> Pending<'a, VoiceKeeping> {
        self.at_once(|contents| {
            let is_taken = |known: &StoredVoice| {
                known.account == voice.account && known.name == voice.name && known.id != voice.id
            };
            if contents.voices.iter().any(is_taken) {
                return Ok(VoiceKeeping::NameTaken);
            }
            let is_it = |known: &&mut StoredVoice| {
                known.id == voice.id && known.account == voice.account && known.changes == voice.changes
            };
            let Some(known) = contents.voices.iter_mut().find(is_it) else { return Ok(VoiceKeeping::Outrun) };
            *known = StoredVoice { created: known.created, changes: known.changes + 1, ..voice.clone() };
            Ok(VoiceKeeping::Kept)
        })
    }

    fn delete_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>> {
        self.at_once(|contents| {
            let mut voices = contents.voices.iter();
            let place = voices.position(|voice| voice.id == id && voice.account == account);
            Ok(place.map(|place| contents.voices.remove(place)))
        })
    }
}
