//! Voices, in SQL.

use antiphon_api::VoiceId;
use antiphon_backends::text_to_speech::SampleFormat;
use futures::FutureExt;
use sqlx::Row as _;

use super::super::{
    AccountId, MostVoices, Pending, StorageError, StoredVoice, VoiceKeeping, VoiceSource, VoiceStore,
};
use super::owned::{Order, Owned};
use super::{Alone, Connection, Reading, Row, Store, storable, to_json};

const VOICES: Owned<StoredVoice> = Owned::new("voices", "id", read);

impl VoiceStore for Store {
    fn insert_voice<'a>(&'a self, voice: &'a StoredVoice, most: MostVoices) -> Pending<'a, VoiceKeeping> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(voice.account)).await?;
            if is_taken(&mut transaction, voice).await? {
                return Ok(VoiceKeeping::NameTaken);
            }
            let row =
                sqlx::query("SELECT COUNT(*) AS voices, COUNT(sample) AS samples FROM voices WHERE account_id = $1")
                    .bind(voice.account.to_string())
                    .fetch_one(&mut *transaction)
                    .await?;
            let (voices, samples): (i64, i64) = (row.try_get("voices")?, row.try_get("samples")?);
            let is_recording = matches!(voice.source, VoiceSource::Recording(_));
            if voices >= i64::from(most.all) || is_recording && samples >= i64::from(most.recordings) {
                return Ok(VoiceKeeping::TooMany);
            }
            let (definition, sample) = columns(&voice.source);
            sqlx::query(
                "INSERT INTO voices (id, account_id, name, description, language, created_us, changes, definition, sample) \
                 VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
            )
            .bind(voice.id.to_string())
            .bind(voice.account.to_string())
            .bind(storable(&voice.name))
            .bind(voice.description.as_deref().map(storable))
            .bind(voice.language.as_deref().map(storable))
            .bind(voice.created.unix_micros())
            .bind(definition)
            .bind(sample)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(VoiceKeeping::Kept)
        }
        .boxed()
    }

    fn find_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>> {
        VOICES.find(&self.pool, account, id).boxed()
    }

    fn voice_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Option<StoredVoice>> {
        VOICES.named(&self.pool, account, name).boxed()
    }

    fn voices(&self, account: AccountId) -> Pending<'_, Vec<StoredVoice>> {
        VOICES.all(&self.pool, account, Order::OldestFirst).boxed()
    }

    fn update_voice<'a>(&'a self, voice: &'a StoredVoice) -> Pending<'a, VoiceKeeping> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(voice.account)).await?;
            if is_taken(&mut transaction, voice).await? {
                return Ok(VoiceKeeping::NameTaken);
            }
            let (definition, sample) = columns(&voice.source);
            let updated = sqlx::query(
                "UPDATE voices SET name = $4, description = $5, language = $6, definition = $7, sample = $8, \
                 changes = changes + 1 WHERE id = $1 AND account_id = $2 AND changes = $3",
            )
            .bind(voice.id.to_string())
            .bind(voice.account.to_string())
            .bind(i64::from(voice.changes))
            .bind(storable(&voice.name))
            .bind(voice.description.as_deref().map(storable))
            .bind(voice.language.as_deref().map(storable))
            .bind(definition)
            .bind(sample)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(match updated.rows_affected() {
                1 => VoiceKeeping::Kept,
                _ => VoiceKeeping::Outrun,
            })
        }
        .boxed()
    }

    fn delete_voice(&self, account: AccountId, id: VoiceId) -> Pending<'_, Option<StoredVoice>> {
        VOICES.delete(&self.pool, account, id).boxed()
    }
}

/// Whether another voice of the account has this one's name.
async fn is_taken(connection: &mut Connection, voice: &StoredVoice) -> Result<bool, StorageError> {
    VOICES.is_taken(connection, voice.account, &voice.name, voice.id).await
}

/// The columns `definition` and `sample`, of which one is set.
fn columns(source: &VoiceSource) -> (Option<String>, Option<&'static str>) {
    match source {
        VoiceSource::Provider(definition) => (Some(to_json(definition)), None),
        VoiceSource::Recording(SampleFormat::Mp3) => (None, Some("mp3")),
        VoiceSource::Recording(SampleFormat::Wav) => (None, Some("wav")),
    }
}

fn read(row: &Row) -> Result<StoredVoice, StorageError> {
    let row = Reading::new(row, "voices", "id")?;
    let sample: Option<String> = row.plain("sample")?;
    let source = match sample.as_deref() {
        None => VoiceSource::Provider(Box::new(row.json("definition")?)),
        Some("mp3") => VoiceSource::Recording(SampleFormat::Mp3),
        Some("wav") => VoiceSource::Recording(SampleFormat::Wav),
        Some(other) => return Err(row.wrong("sample", &format!("{other:?} is no format"))),
    };
    Ok(StoredVoice {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        description: row.plain("description")?,
        language: row.plain("language")?,
        created: row.time("created_us")?,
        changes: row.count("changes")?,
        source,
    })
}
