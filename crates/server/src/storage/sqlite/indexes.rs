//! The full-text indexes of corpora, one each, which are tables that no row of another one takes along.

use antiphon_api::CorpusSourceId;
use sqlx::AssertSqlSafe;

use super::super::StorageError;
use super::Connection;

/// The index of the corpus with this key. Its words are those of `relevance::words`, separated by blanks: the tokenizer has nothing to
/// do with them.
pub(super) fn index(key: i64) -> String {
    format!("corpus_index_{key}")
}

/// Makes the index of a new corpus.
pub(super) async fn make(connection: &mut Connection, corpus: i64) -> Result<(), StorageError> {
    let index = index(corpus);
    let tables = format!(
        "CREATE VIRTUAL TABLE {index} USING fts5(words, content='', contentless_delete=1, tokenize='ascii'); \
         CREATE VIRTUAL TABLE {index}_words USING fts5vocab({index}, 'row')"
    );
    sqlx::raw_sql(AssertSqlSafe(tables)).execute(connection).await?;
    Ok(())
}

/// Removes the index of a corpus that is gone.
pub(super) async fn remove(connection: &mut Connection, corpus: i64) -> Result<(), StorageError> {
    let index = index(corpus);
    let tables = format!("DROP TABLE {index}_words; DROP TABLE {index}");
    sqlx::raw_sql(AssertSqlSafe(tables)).execute(connection).await?;
    Ok(())
}

/// Removes what came from a source that is about to go.
pub(super) async fn forget_source(
    connection: &mut Connection,
    corpus: i64,
    source: CorpusSourceId,
) -> Result<(), StorageError> {
    let index = index(corpus);
    let words = format!(
        "DELETE FROM {index} WHERE rowid IN (SELECT corpus_passages.key FROM corpus_passages \
         JOIN corpus_documents ON corpus_documents.key = document_key WHERE source_id = $1)"
    );
    sqlx::query(AssertSqlSafe(words)).bind(source.to_string()).execute(connection).await?;
    Ok(())
}
