//! The numbers of an account's calls that have a text: where they begin and end, which of them calls of some time can have, and strides
//! through them.
//!
//! They are given in the order in which calls are kept, which is nearly that of their creation: how far it is off is known of every
//! account.

use sqlx::Row as _;

use super::super::StorageError;
use super::Sqlite;
use super::catalog::Query;
use super::choice::Owner;
use super::texts::Text;

/// Numbers that are still to be gone through: those between these two.
pub(super) struct Numbers {
    owner: Owner,
    behind: i64,
    before: i64,
}

impl Numbers {
    /// Those of an owner's calls that have a text.
    pub(super) async fn of(database: &Sqlite, owner: Owner, text: &Text) -> Result<Self, StorageError> {
        // Two look-ups, where one query with both ends would read all that lies between.
        let mut query = Query::new("SELECT (");
        text.push_end(&mut query, &owner, false);
        query.push(") AS first, (");
        text.push_end(&mut query, &owner, true);
        query.push(") AS last");
        let row = query.build().fetch_one(&database.pool).await?;
        let ends: (Option<i64>, Option<i64>) = (row.try_get("first")?, row.try_get("last")?);
        Ok(match ends {
            (Some(first), Some(last)) => Self { owner, behind: first - 1, before: last + 1 },
            (None, _) | (_, None) => Self { owner, behind: 0, before: 0 },
        })
    }

    /// Leaves those that calls can have which were created between two moments, in microseconds.
    pub(super) async fn narrow(
        &mut self,
        database: &Sqlite,
        earliest: Option<i64>,
        latest: Option<i64>,
    ) -> Result<(), StorageError> {
        // Of deleted calls it is not known how much their order is off.
        if self.owner.number < 0 {
            return Ok(());
        }
        // A call that was created so much earlier, or later, has a lower, or higher, number than all of them.
        let disorder = self.owner.disorder_us;
        if let Some(earliest) = earliest {
            let sql = "SELECT number FROM call_heads WHERE account = $1 AND created_us < $2 \
                       ORDER BY created_us DESC, id DESC LIMIT 1";
            let found = self.one(database, sql, earliest.saturating_sub(disorder)).await?;
            self.behind = found.map_or(self.behind, |number| self.behind.max(number));
        }
        if let Some(latest) = latest {
            let sql = "SELECT number FROM call_heads WHERE account = $1 AND created_us > $2 \
                       ORDER BY created_us, id LIMIT 1";
            let found = self.one(database, sql, latest.saturating_add(disorder)).await?;
            self.before = found.map_or(self.before, |number| self.before.min(number));
        }
        Ok(())
    }

    async fn one(
        &self,
        database: &Sqlite,
        sql: &'static str,
        moment: i64,
    ) -> Result<Option<i64>, StorageError> {
        let query = sqlx::query(sql).bind(self.owner.number).bind(moment);
        let row = query.fetch_optional(&database.pool).await?;
        Ok(row.map(|row| row.try_get("number")).transpose()?)
    }

    /// Takes so many of them away, from the end with the latest calls or from the other one: those between the two that it gives.
    pub(super) fn take(&mut self, length: i64, latest: bool) -> Option<(i64, i64)> {
        if self.before - self.behind <= 1 {
            return None;
        }
        // Numbers of deleted calls fall.
        let stride = if latest == (self.owner.number > 0) {
            let behind = self.behind.max(self.before.saturating_sub(length + 1));
            let stride = (behind, self.before);
            self.before = behind + 1;
            stride
        } else {
            let before = self.before.min(self.behind.saturating_add(length + 1));
            let stride = (self.behind, before);
            self.behind = before - 1;
            stride
        };
        Some(stride)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::AccountId;
    use super::*;

    fn taken(number: i64, latest: bool) -> Vec<(i64, i64)> {
        let owner = Owner { account: AccountId(uuid::Uuid::nil()), number, disorder_us: 0, longest_us: 0 };
        let mut numbers = Numbers { owner, behind: 10, before: 16 };
        std::iter::from_fn(|| numbers.take(2, latest)).collect()
    }

    #[test]
    fn strides_meet_every_number_once() {
        // Between 10 and 13 are 11 and 12.
        assert_eq!(taken(1, true), [(13, 16), (11, 14), (10, 12)]);
        assert_eq!(taken(1, false), [(10, 13), (12, 15), (14, 16)]);
        assert_eq!(taken(-1, true), taken(1, false));
        assert_eq!(taken(-1, false), taken(1, true));
    }

    #[test]
    fn there_is_no_stride_through_nothing() {
        let owner = Owner { account: AccountId(uuid::Uuid::nil()), number: 1, disorder_us: 0, longest_us: 0 };
        assert_eq!(Numbers { owner, behind: 10, before: 11 }.take(2, true), None);
        // Narrowed down from both ends beyond each other.
        assert_eq!(Numbers { owner, behind: 12, before: 9 }.take(2, true), None);
    }
}
