//! An account's keys for other people's voices (protocol.md 7.12): set whole, shown only by how they begin.

use crate::change::Change;
use crate::json::check::Chars;
use crate::json::record;
use crate::secret::Secret;

record! {
    /// Which keys an account has.
    #[derive(Default)]
    pub struct TtsKeys {
        /// For ElevenLabs.
        eleven_labs: Option<KeyPrefix>,
        /// For Cartesia.
        cartesia: Option<KeyPrefix>,
        /// For LMNT.
        lmnt: Option<KeyPrefix>,
        /// For Google: of a service account.
        google: Option<KeyPrefix>,
        /// For Inworld.
        inworld: Option<KeyPrefix>,
        /// For Respeecher.
        respeecher: Option<KeyPrefix>,
    }
}

record! {
    /// How a key begins: enough to tell which one it is.
    pub struct KeyPrefix {
        /// Its first characters.
        prefix: String,
    }
}

record! {
    /// What is changed of an account's keys: a key sets one, null removes it, and what is left out stays.
    #[derive(Default)]
    pub struct TtsKeysChange {
        /// For ElevenLabs.
        eleven_labs: Change<Secret> where Chars(1, 16_384),
        /// For Cartesia.
        cartesia: Change<Secret> where Chars(1, 16_384),
        /// For LMNT.
        lmnt: Change<Secret> where Chars(1, 16_384),
        /// For Google: the JSON key of a service account that may use Text-to-Speech.
        google: Change<Secret> where Chars(1, 16_384),
        /// For Inworld.
        inworld: Change<Secret> where Chars(1, 16_384),
        /// For Respeecher.
        respeecher: Change<Secret> where Chars(1, 16_384),
    }
}
