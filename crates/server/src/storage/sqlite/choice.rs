//! Which calls are meant, in SQL: whose, by which filter, and by which way they are found.
//!
//! A filter is tried on the index that is walked anyway, which holds all that it looks at but texts. Texts are looked for in indexes of
//! their own: where few calls have one, these are all that is looked at; where many have it, they are met in the order of their
//! numbers, unless calls that fit the rest of the filter are farther between: then each of those is asked for the text.

use antiphon_api::AgentId;
use sqlx::Row as _;

use super::super::catalog::{CallFilter, MANY};
use super::super::{AccountId, StorageError};
use super::Sqlite;
use super::calls::total;
use super::catalog::Query;
use super::texts::Text;
use super::times::push_times;

/// The numbers of one account's calls begin at a multiple of this.
const NUMBERS: i64 = 1 << 40;

/// Calls of a long time.
const LONG: i64 = 30_000;

/// To ask a call for a text costs as much as to meet so many that have it.
const ASKING: i64 = 2;

/// Whose calls are meant, and how they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) account: AccountId,
    /// The account's number; with the other sign it is that of its deleted calls. 0 of an account that there is not.
    pub(super) number: i64,
    /// How much earlier a call may have been created than one with a lower number.
    pub(super) disorder_us: i64,
    /// How long the longest call was there.
    pub(super) longest_us: i64,
}

impl Owner {
    pub(super) async fn find(database: &Sqlite, account: AccountId) -> Result<Self, StorageError> {
        let row = sqlx::query("SELECT number, disorder_us, longest_us FROM accounts WHERE id = $1")
            .bind(account.to_string())
            .fetch_optional(&database.pool)
            .await?;
        let Some(row) = row else { return Ok(Self { account, number: 0, disorder_us: 0, longest_us: 0 }) };
        Ok(Self {
            account,
            number: row.try_get("number")?,
            disorder_us: row.try_get("disorder_us")?,
            longest_us: row.try_get("longest_us")?,
        })
    }

    /// As the owner of what is left of deleted calls.
    pub(super) fn deleted(self) -> Self {
        Self { number: -self.number, ..self }
    }

    /// Between which two the numbers of the calls are.
    pub(super) fn numbers(&self) -> (i64, i64) {
        let (low, high) = (self.number.abs() * NUMBERS, (self.number.abs() + 1) * NUMBERS);
        if self.number < 0 { (-high, -low) } else { (low, high) }
    }
}

/// How calls are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By walking an index, and trying all on each call.
    Walk,
    /// At most [`MANY`] have this text: no others are looked at.
    Few(Text),
    /// More have it: those that have it are gone through.
    Many(Text),
}

/// How many are found of something, [`MANY`] and one at most, and over how many numbers of calls these lie.
#[derive(Debug, Clone, Copy)]
struct Spread {
    found: u64,
    over: i64,
}

impl Spread {
    fn is_few(self) -> bool {
        self.found <= u64::from(MANY)
    }

    /// Of what the query gives numbers of.
    async fn of(database: &Sqlite, numbers: impl FnOnce(&mut Query)) -> Result<Self, StorageError> {
        let mut query =
            Query::new("SELECT COUNT(*) AS total, COALESCE(MAX(number) - MIN(number), 0) AS over FROM (");
        numbers(&mut query);
        query.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(")");
        let row = query.build().fetch_one(&database.pool).await?;
        Ok(Self { found: total(&row)?, over: row.try_get("over")? })
    }
}

/// Calls that are meant.
pub(super) struct Choice<'f> {
    pub(super) owner: Owner,
    pub(super) filter: &'f CallFilter,
    pub(super) way: Way,
    texts: Vec<Text>,
    /// Whether more than [`MANY`] have each text, and as many fit the rest of the filter.
    many: bool,
}

impl<'f> Choice<'f> {
    /// Finds the shortest way to what fits.
    pub(super) async fn find(
        database: &Sqlite,
        owner: Owner,
        filter: &'f CallFilter,
    ) -> Result<Self, StorageError> {
        let texts = Text::of(owner.account, filter);
        let mut choice = Self { owner, filter, way: Way::Walk, texts, many: false };
        let mut fewest = u64::from(MANY) + 1;
        let mut spreads = Vec::with_capacity(choice.texts.len());
        for text in &choice.texts {
            let spread = Spread::of(database, |query| text.push_numbers(query, &owner)).await?;
            if spread.found < fewest {
                (fewest, choice.way) = (spread.found, Way::Few(text.clone()));
            }
            spreads.push(spread);
        }
        if choice.way != Way::Walk {
            return Ok(choice);
        }
        // What is gone through is the text that is looked for at the least cost.
        let (Some(text), Some(spread)) = (choice.texts.first().cloned(), spreads.first()) else {
            return Ok(choice);
        };
        let mut is_rarer = false;
        if filter.is_narrowed() {
            let others = choice.others(database).await?;
            if others.is_few() {
                return Ok(choice);
            }
            is_rarer = others.over > spread.over.saturating_mul(ASKING);
        }
        choice.many = true;
        if !is_rarer {
            choice.way = Way::Many(text);
        }
        Ok(choice)
    }

    /// The same, for a page.
    pub(super) async fn for_page(
        database: &Sqlite,
        owner: Owner,
        filter: &'f CallFilter,
    ) -> Result<Self, StorageError> {
        Self::find(database, owner, filter).await
    }

    /// Whether more fit than are counted.
    pub(super) fn is_many(&self) -> bool {
        self.many
    }

    /// Whether so many calls were created in the time that a filter speaks of that it is better to go through all in the order in which
    /// they are summed up than to bring them into it.
    pub(super) async fn is_long(
        database: &Sqlite,
        owner: Owner,
        filter: &CallFilter,
    ) -> Result<bool, StorageError> {
        let CallFilter { created_from, created_to, .. } = filter;
        let time =
            CallFilter { created_from: *created_from, created_to: *created_to, ..CallFilter::default() };
        if time == CallFilter::default() {
            return Ok(true);
        }
        let choice = Choice::find(database, owner, &time).await?;
        let mut query = Query::new("SELECT COUNT(*) AS total FROM (SELECT 1");
        choice.push(&mut query);
        query.push(" LIMIT ").push_bind(LONG).push(") AS counted");
        Ok(total(&query.build().fetch_one(&database.pool).await?)? == LONG.unsigned_abs())
    }

    /// How many fit the rest of the filter, whatever their texts.
    async fn others(&self, database: &Sqlite) -> Result<Spread, StorageError> {
        Spread::of(database, |query| {
            query.push("SELECT number FROM call_heads WHERE account = ").push_bind(self.owner.number);
            self.push_facts(query);
        })
        .await
    }

    /// Adds where they are, and which they are.
    pub(super) fn push(&self, query: &mut Query) {
        self.push_between(query, self.owner.numbers(), None);
    }

    /// The same, by an index that is named if they are found by walking one.
    pub(super) fn push_by(&self, query: &mut Query, index: &'static str) {
        self.push_between(query, self.owner.numbers(), Some(index));
    }

    /// Adds where calls with numbers between these two are, and which they are.
    pub(super) fn push_between(&self, query: &mut Query, numbers: (i64, i64), index: Option<&'static str>) {
        match &self.way {
            Way::Walk => {
                query.push(" FROM call_heads");
                if let Some(index) = index {
                    query.push(" INDEXED BY ").push(index);
                }
                query.push(" WHERE account = ").push_bind(self.owner.number);
            }
            // The signs keep indexes of the account's calls from being used.
            Way::Few(text) => {
                query.push(" FROM call_heads WHERE +account = ").push_bind(self.owner.number);
                query.push(" AND number IN (");
                text.push_numbers(query, &self.owner);
                query.push(")");
            }
            Way::Many(text) => {
                query
                    .push(" FROM ")
                    .push(text.table())
                    .push(" CROSS JOIN call_heads ON call_heads.number = ");
                query.push(text.number()).push(" WHERE ");
                text.push(query, numbers);
                query.push(" AND +account = ").push_bind(self.owner.number);
            }
        }
        self.push_facts(query);
        let found = match &self.way {
            Way::Walk => None,
            Way::Few(text) | Way::Many(text) => Some(text),
        };
        self.push_trials(query, found);
    }

    /// Adds that they have all texts, but for what is known of calls that were found by this one.
    pub(super) fn push_trials(&self, query: &mut Query, found: Option<&Text>) {
        self.texts.iter().for_each(|text| text.push_trial(query, found));
    }

    /// Adds what is to be tried on the index. See [`CallFilter::fits`], which says the same.
    pub(super) fn push_facts(&self, query: &mut Query) {
        let CallFilter {
            agents,
            voices,
            created_from: _,
            created_to: _,
            lasted_at_least: _,
            lasted_at_most: _,
            time_of_day: _,
            metadata: _,
            search: _,
        } = self.filter;
        let bytes = |agent: &AgentId| agent.uuid().as_bytes().to_vec();
        match agents.as_slice() {
            [] => {}
            // One alone is found, in order, by an index of its own.
            [agent] if self.way == Way::Walk => {
                query.push(" AND agent = ").push_bind(bytes(agent));
            }
            agents => {
                query.push(" AND +agent IN (");
                let mut list = query.separated(", ");
                agents.iter().for_each(|agent| {
                    list.push_bind(bytes(agent));
                });
                query.push(")");
            }
        }
        push_times(query, self.filter);
        match voices.as_deref() {
            None => {}
            // Likewise.
            Some([Some(voice)]) if self.way == Way::Walk => {
                query.push(" AND voice = ").push_bind(voice.clone());
            }
            Some(voices) => {
                query.push(if voices.contains(&None) {
                    " AND (+voice IS NULL OR +voice IN ("
                } else {
                    " AND (+voice IN ("
                });
                let mut list = query.separated(", ");
                voices.iter().flatten().for_each(|voice| {
                    list.push_bind(voice.clone());
                });
                query.push("))");
            }
        }
    }
}
