//! What every database must do for voices. Each function is one story on an empty store.

use antiphon_api::VoiceId;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::{ExternalVoice, GenericVoice};
use antiphon_backends::text_to_speech::SampleFormat;
use antiphon_server::storage::{AccountId, MostVoices, Storage, StoredVoice, VoiceKeeping, VoiceSource};
use uuid::Uuid;

use crate::contract::{account, at};

const MOST: MostVoices = MostVoices { all: 10, recordings: 10 };

pub(crate) async fn a_voice_comes_back_as_it_was_kept_and_only_to_its_account(storage: &Storage) {
    let generic = GenericVoice {
        url: "https://example.com/say".to_owned(),
        headers: [("X-Key".to_owned(), antiphon_api::Secret::new("s3cret"))].into(),
        body: JsonObject::new(),
        response_sample_rate: Some(16_000),
        response_words_per_minute: None,
        response_mime_type: None,
        json_audio_field_path: None,
        json_byte_encoding: None,
    };
    let provider = StoredVoice {
        description: Some("warm".to_owned()),
        language: Some("en-US".to_owned()),
        source: VoiceSource::Provider(Box::new(ExternalVoice::Generic(generic))),
        ..voice(storage, 1, "Anna").await
    };
    let cloned = voice(storage, 2, "Bert").await;
    for voice in [&provider, &cloned] {
        assert_eq!(storage.voices.insert_voice(voice, MOST).await.unwrap(), VoiceKeeping::Kept);
        assert_eq!(storage.voices.find_voice(voice.account, voice.id).await.unwrap().as_ref(), Some(voice));
    }
    let account = provider.account;
    assert_eq!(storage.voices.voice_named(account, "Bert").await.unwrap().as_ref(), Some(&cloned));
    assert_eq!(storage.voices.voice_named(account, "bert").await.unwrap(), None);
    assert_eq!(storage.voices.voices(account).await.unwrap(), [provider.clone(), cloned.clone()]);

    let stranger = AccountId(Uuid::from_u128(77));
    let theirs = StoredVoice { account: stranger, name: "Theirs".to_owned(), ..cloned.clone() };
    assert_eq!(storage.voices.find_voice(stranger, cloned.id).await.unwrap(), None);
    assert_eq!(storage.voices.voice_named(stranger, "Bert").await.unwrap(), None);
    assert_eq!(storage.voices.voices(stranger).await.unwrap(), []);
    assert_eq!(storage.voices.update_voice(&theirs).await.unwrap(), VoiceKeeping::Outrun);
    assert_eq!(storage.voices.delete_voice(stranger, cloned.id).await.unwrap(), None);

    assert_eq!(storage.voices.delete_voice(account, cloned.id).await.unwrap(), Some(cloned.clone()));
    assert_eq!(storage.voices.delete_voice(account, cloned.id).await.unwrap(), None);
    assert_eq!(storage.voices.voices(account).await.unwrap(), [provider]);
}

pub(crate) async fn a_voices_name_is_its_own_within_the_account(storage: &Storage) {
    let anna = voice(storage, 1, "Anna").await;
    let bert = voice(storage, 2, "Bert").await;
    for voice in [&anna, &bert] {
        storage.voices.insert_voice(voice, MOST).await.unwrap();
    }
    let second = voice(storage, 3, "Anna").await;
    assert_eq!(storage.voices.insert_voice(&second, MOST).await.unwrap(), VoiceKeeping::NameTaken);
    let renamed = StoredVoice { name: "Anna".to_owned(), ..bert.clone() };
    assert_eq!(storage.voices.update_voice(&renamed).await.unwrap(), VoiceKeeping::NameTaken);
    assert_eq!(storage.voices.update_voice(&anna).await.unwrap(), VoiceKeeping::Kept, "its own name");
    storage.voices.delete_voice(anna.account, anna.id).await.unwrap();
    assert_eq!(storage.voices.insert_voice(&second, MOST).await.unwrap(), VoiceKeeping::Kept);
}

pub(crate) async fn of_two_changes_of_a_voice_the_second_is_told_that_it_comes_too_late(storage: &Storage) {
    let before = voice(storage, 1, "Anna").await;
    storage.voices.insert_voice(&before, MOST).await.unwrap();
    let changed = |name: &str| StoredVoice { name: name.to_owned(), ..before.clone() };
    assert_eq!(storage.voices.update_voice(&changed("Mine")).await.unwrap(), VoiceKeeping::Kept);
    assert_eq!(storage.voices.update_voice(&changed("Theirs")).await.unwrap(), VoiceKeeping::Outrun);
    let kept = storage.voices.find_voice(before.account, before.id).await.unwrap().unwrap();
    assert_eq!(kept, StoredVoice { changes: 1, ..changed("Mine") });
}

pub(crate) async fn an_account_has_a_bounded_number_of_voices_and_of_recordings(storage: &Storage) {
    let most = MostVoices { all: 3, recordings: 1 };
    for (number, source, keeping) in [
        (1, recording(), VoiceKeeping::Kept),
        (2, recording(), VoiceKeeping::TooMany),
        (3, provider(), VoiceKeeping::Kept),
        (4, provider(), VoiceKeeping::Kept),
        (5, provider(), VoiceKeeping::TooMany),
    ] {
        let voice = StoredVoice { source, ..voice(storage, number, &format!("Voice {number}")).await };
        assert_eq!(storage.voices.insert_voice(&voice, most).await.unwrap(), keeping, "{number}");
    }
}

fn recording() -> VoiceSource {
    VoiceSource::Recording(SampleFormat::Mp3)
}

fn provider() -> VoiceSource {
    VoiceSource::Provider(Box::new(ExternalVoice::Lmnt(Default::default())))
}

async fn voice(storage: &Storage, number: u128, name: &str) -> StoredVoice {
    StoredVoice {
        id: VoiceId::new(Uuid::from_u128(number)),
        account: account(storage).await,
        name: name.to_owned(),
        description: None,
        language: None,
        created: at(i64::try_from(number).unwrap()),
        changes: 0,
        source: recording(),
    }
}
