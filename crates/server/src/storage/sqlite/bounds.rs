//! How far the place of a call in a list can lie behind its creation.

use super::super::StorageError;
use super::super::catalog::CallKey;
use super::Sqlite;
use super::catalog::Query;
use super::choice::Owner;
use super::page::Page;

/// More calls that keep to no bounds are not looked at one by one.
const ODD: i64 = 1_000;

/// The bounds that all but some of an account's calls keep to: none comes before its creation.
pub(super) struct Bounds {
    /// How far behind their creation they come at most, in microseconds.
    reach: i64,
    /// The numbers of those that do not, in order, of which any may be on the page.
    pub(super) odd: Vec<i64>,
}

impl Bounds {
    /// Those of a page's list, if there are any.
    pub(super) async fn of(
        page: &Page,
        database: &Sqlite,
        owner: Owner,
    ) -> Result<Option<Self>, StorageError> {
        // Of deleted calls it is not known in which order they were created.
        if owner.number <= 0 {
            return Ok(None);
        }
        let is_join = match page.by {
            CallKey::Created => return Ok(Some(Self { reach: 0, odd: Vec::new() })),
            CallKey::Duration => return Ok(None),
            CallKey::Ended => false,
            CallKey::Joined => true,
        };
        // One look at all of it: a call that ends meanwhile is among those that have not, or has been there as long as any.
        let mut query = Query::new(
            "SELECT json_group_array(json_array(longest_us, json((SELECT json_group_array(number) FROM ( \
             SELECT number FROM call_heads INDEXED BY call_heads_out_of_order WHERE account = accounts.number \
             AND (ended_us < created_us OR joined_us < created_us OR joined_us > ended_us)",
        );
        // What comes last of all is far from the end at which a page is looked for that rises.
        if page.falling {
            query.push(" UNION ALL SELECT number FROM call_heads INDEXED BY call_heads_by_end WHERE ");
            query.push(
                "account = accounts.number AND COALESCE(ended_us, 9223372036854775807) = 9223372036854775807",
            );
            let is_behind = page.after.is_some_and(|(place, _)| place < i64::MAX);
            if is_join && !is_behind {
                query.push(" UNION ALL SELECT number FROM call_heads INDEXED BY call_heads_by_join WHERE ");
                query.push("account = accounts.number AND COALESCE(joined_us, 9223372036854775807) = 9223372036854775807");
            }
        }
        query.push(" LIMIT ").push_bind(ODD + 1);
        query.push("))))) AS packed FROM accounts WHERE number = ").push_bind(owner.number);
        let account = database.packed::<(i64, Vec<i64>)>(query).await?.pop();
        let Some((reach, mut odd)) = account else { return Ok(None) };
        odd.sort_unstable();
        odd.dedup();
        Ok((odd.len() as i64 <= ODD).then_some(Self { reach, odd }))
    }

    /// When the calls behind a place were created: at the latest, if the list falls, or else at the earliest.
    pub(super) fn created_behind(&self, falling: bool, place: i64) -> i64 {
        if falling { place } else { place.saturating_sub(self.reach) }
    }

    /// When the calls before a place were created: at the earliest, if the list falls, or else at the latest.
    pub(super) fn created_before(&self, falling: bool, place: i64) -> i64 {
        self.created_behind(!falling, place)
    }
}
