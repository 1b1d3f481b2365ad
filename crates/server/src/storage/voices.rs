//! Voices that accounts have registered or cloned. The recordings of cloned ones lie in files, of which nothing here knows.

use antiphon_api::rest::calls::ExternalVoice;
use antiphon_api::{Timestamp, VoiceId};
use antiphon_backends::text_to_speech::SampleFormat;

use super::{AccountId, Pending};

/// A voice as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVoice {
    /// Its id.
    pub id: VoiceId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name; no other voice of the account has it.
    pub name: String,
    /// What it is like.
    pub description: Option<String>,
    /// BCP-47 language that it speaks best.
    pub language: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// How often it was changed since.
    pub changes: u32,
    /// What it speaks with.
    pub source: VoiceSource,
}

/// What a voice speaks with.
#[derive(Debug, Clone, PartialEq)]
pub enum VoiceSource {
    /// A provider's voice, or any HTTP endpoint. It holds secrets.
    Provider(Box<ExternalVoice>),
    /// A recording of somebody, in this format.
    Recording(SampleFormat),
}

/// What became of a voice that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiceKeeping {
    /// It is kept.
    Kept,
    /// It is not: another voice of the account has the name.
    NameTaken,
    /// It is not: the account has as many of its kind as it may have.
    TooMany,
    /// It is not: it is gone, or it was changed meanwhile.
    Outrun,
}

/// How many voices an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostVoices {
    /// Of every kind.
    pub all: u32,
    /// Cloned ones.
    pub recordings: u32,
}

/// Where voices are kept.
pub trait VoiceStore: Send + Sync {
    /// Keeps a new voice, unless its name is taken or the account then had more than it may have.
    fn insert_voice<'a>(&'a self, voice: &'a StoredVoice, most: MostVoices) -> Pending<'a, VoiceKeeping>;
    /// The account's voice with this id.
    fn find_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>>;
    /// The account's voice with this name, in these very letters.
    fn voice_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Option<StoredVoice>>;
    /// All voices of an account, oldest first.
    fn voices(&self, account: AccountId) -> Pending<'_, Vec<StoredVoice>>;
    /// Changes a voice and counts the change, if it has been changed as often as `voice.changes` says.
    fn update_voice<'a>(&'a self, voice: &'a StoredVoice) -> Pending<'a, VoiceKeeping>;
    /// Removes the account's voice with this id, and says what it was.
    fn delete_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>>;
}
