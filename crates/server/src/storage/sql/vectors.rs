//! The vectors of passages: rows of many, which are read one behind the other. What one of them is in a row is `relevance`'s to say.

use antiphon_api::CorpusId;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::relevance::Meaning;
use super::super::{Contents, StorageError, StoredDocument};
use super::{Connection, SEEN};

/// Vectors that share a row.
const SHARED: usize = 64;
/// The bytes of a passage's key, before its vector.
const KEY: usize = size_of::<i64>();

/// Inserts the vectors of passages with these keys, which are of a document with that one.
pub(super) async fn insert(
    connection: &mut Connection,
    document: &StoredDocument,
    document_key: i64,
    keys: &[i64],
    contents: Contents<'_>,
) -> Result<(), StorageError> {
    let vectors: Vec<(i64, &Vec<f32>)> = keys
        .iter()
        .zip(contents.passages)
        .flat_map(|(key, passage)| passage.vectors.iter().map(|vector| (*key, vector)))
        .collect();
    for shared in vectors.chunks(SHARED) {
        let dimensions = shared[0].1.len();
        let mut bytes = Vec::with_capacity(shared.len() * (KEY + Meaning::size(dimensions)));
        for (key, vector) in shared {
            // Those of one model are all alike; whatever is not has no place beside the others.
            let direction = Meaning::of(vector).filter(|_| vector.len() == dimensions);
            let Some(direction) = direction else { continue };
            bytes.extend_from_slice(&key.to_le_bytes());
            direction.write(&mut bytes);
        }
        sqlx::query(
            "INSERT INTO corpus_vectors (document_key, corpus_id, model, dimensions, directions) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(document_key)
        .bind(document.corpus.to_string())
        .bind(contents.model)
        .bind(i64::try_from(dimensions).unwrap_or(i64::MAX))
        .bind(bytes)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// How well every passage that has vectors fits by its meaning; nothing if the vector has none.
pub(super) async fn by_meaning(
    connection: &mut Connection,
    corpus: CorpusId,
    model: &str,
    vector: &[f32],
) -> Result<Option<Vec<(i64, f64)>>, StorageError> {
    let Some(sought) = Meaning::of(vector) else { return Ok(None) };
    let mut cosines: Vec<(i64, f64)> = Vec::new();
    let size = KEY + Meaning::size(vector.len());
    let mut rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT directions FROM corpus_vectors \
         WHERE corpus_id = $1 AND model = $2 AND dimensions = $3{SEEN} ORDER BY key"
    )))
    .bind(corpus.to_string())
    .bind(model)
    .bind(i64::try_from(vector.len()).unwrap_or(i64::MAX))
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let directions: &[u8] = row.try_get("directions")?;
        for written in directions.chunks_exact(size) {
            let Some((key, direction)) = written.split_first_chunk::<KEY>() else { continue };
            let Some(cosine) = sought.cosine(direction) else { continue };
            let key = i64::from_le_bytes(*key);
            // Several vectors of one passage lie one behind the other.
            match cosines.last_mut().filter(|(last, _)| *last == key) {
                Some((_, best)) => *best = best.max(cosine),
                None => cosines.push((key, cosine)),
            }
        }
        // A row is a fraction of a millisecond; others have their turn between two.
        tokio::task::yield_now().await;
    }
    Ok((!cosines.is_empty()).then_some(cosines))
}
