//! Stages of calls, in SQL.

use antiphon_api::CallId;

use super::super::{StorageError, StoredStage};
use super::{Reading, Row, Store, to_json};

impl Store {
    pub(super) async fn insert_call_stage(
        &self,
        call: CallId,
        stage: &StoredStage,
    ) -> Result<(), StorageError> {
        // A stage is written again when it is not clear whether it was written.
        sqlx::query(
            "INSERT INTO stages (call_id, number, id, created_us, history_from, request) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (call_id, number) DO NOTHING",
        )
        .bind(call.to_string())
        .bind(i64::from(stage.number))
        .bind(stage.id.to_string())
        .bind(stage.created.unix_micros())
        .bind(i64::from(stage.history_from))
        .bind(to_json(&stage.request))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(super) async fn call_stages(&self, call: CallId) -> Result<Vec<StoredStage>, StorageError> {
        sqlx::query("SELECT * FROM stages WHERE call_id = $1 ORDER BY number")
            .bind(call.to_string())
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read)
            .collect()
    }
}

fn read(row: &Row) -> Result<StoredStage, StorageError> {
    let row = Reading::new(row, "stages", "call_id")?;
    Ok(StoredStage {
        id: row.text("id")?,
        number: row.count("number")?,
        created: row.time("created_us")?,
        history_from: row.count("history_from")?,
        request: row.json("request")?,
    })
}
