//! Which calls are meant, in SQL: whose, by which filter, and by which way they are found.

use antiphon_api::AgentId;
use sqlx::Row as _;

use super::super::catalog::{CallFilter, MANY};
use super::super::{AccountId, StorageError};
use super::Postgres;
use super::calls::total;
use super::catalog::Query;
use super::texts::Texts;
use super::times::push_times;

/// Whose calls are meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    account: AccountId,
    /// The account's number; with the other sign it is that of its deleted calls. 0 of an account that there is not.
    pub(super) number: i64,
    /// How long the longest call was there.
    pub(super) longest_us: i64,
}

impl Owner {
    pub(super) async fn find(database: &Postgres, account: AccountId) -> Result<Self, StorageError> {
        let row = sqlx::query("SELECT number, longest_us FROM accounts WHERE id = $1")
            .bind(account.to_string())
            .fetch_optional(&database.pool)
            .await?;
        let Some(row) = row else { return Ok(Self { account, number: 0, longest_us: 0 }) };
        Ok(Self { account, number: row.try_get("number")?, longest_us: row.try_get("longest_us")? })
    }

    /// As the owner of what is left of deleted calls.
    pub(super) fn deleted(self) -> Self {
        Self { number: -self.number, ..self }
    }
}

/// How calls are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By walking an index, and trying all on each call.
    Walk,
    /// At most [`MANY`] have the texts: no others are looked at.
    Few,
    /// More have them, and more fit the rest of the filter: walked like all, and not counted.
    Many,
}

/// Calls that are meant.
#[derive(Debug, Clone)]
pub(super) struct Choice<'f> {
    pub(super) owner: Owner,
    filter: &'f CallFilter,
    way: Way,
    texts: Option<Texts>,
}

impl<'f> Choice<'f> {
    /// Finds the shortest way to what fits.
    pub(super) async fn find(
        database: &Postgres,
        owner: Owner,
        filter: &'f CallFilter,
    ) -> Result<Self, StorageError> {
        let mut choice = Self::walked(owner, filter);
        choice.find_way(database).await?;
        Ok(choice)
    }

    /// The way to a page is found with it: most pages are found without counting anything.
    pub(super) fn for_page(
        _: &Postgres,
        owner: Owner,
        filter: &'f CallFilter,
    ) -> std::future::Ready<Result<Self, StorageError>> {
        std::future::ready(Ok(Self::walked(owner, filter)))
    }

    fn walked(owner: Owner, filter: &'f CallFilter) -> Self {
        Self { owner, filter, way: Way::Walk, texts: Texts::of(owner.account, filter) }
    }

    /// Counts what has the texts, and if these are many, what fits the rest.
    pub(super) async fn find_way(&mut self, database: &Postgres) -> Result<(), StorageError> {
        let Some(texts) = &self.texts else { return Ok(()) };
        let mut query = Query::new("SELECT COUNT(*) AS total FROM (");
        texts.push_numbers(&mut query, self.owner.number);
        if Self::is_few(database, query).await? {
            self.way = Way::Few;
        } else if !(self.filter.is_narrowed() && self.others_are_few(database).await?) {
            self.way = Way::Many;
        }
        Ok(())
    }

    /// Whether any texts are looked for.
    pub(super) fn has_texts(&self) -> bool {
        self.texts.is_some()
    }

    /// Whether more fit than are counted.
    pub(super) fn is_many(&self) -> bool {
        self.way == Way::Many
    }

    /// Whether it is better to go through all calls in the order in which they are summed up: that is for Postgres to know.
    pub(super) fn is_long(
        _: &Postgres,
        _: Owner,
        _: &CallFilter,
    ) -> std::future::Ready<Result<bool, StorageError>> {
        std::future::ready(Ok(false))
    }

    /// Whether few fit the rest of the filter, whatever their texts.
    async fn others_are_few(&self, database: &Postgres) -> Result<bool, StorageError> {
        let mut query =
            Query::new("SELECT COUNT(*) AS total FROM (SELECT 1 FROM call_heads WHERE account = ");
        query.push_bind(self.owner.number);
        self.push_facts(&mut query);
        Self::is_few(database, query).await
    }

    async fn is_few(database: &Postgres, mut counting: Query) -> Result<bool, StorageError> {
        counting.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(") AS counted");
        Ok(total(&counting.build().fetch_one(&database.pool).await?)? <= u64::from(MANY))
    }

    /// Adds where they are, and which they are.
    pub(super) fn push(&self, query: &mut Query) {
        match (&self.texts, self.way) {
            // The sum keeps indexes of the account's calls from being used: what is found by texts is few.
            (Some(texts), Way::Few) => {
                query.push(" FROM call_heads WHERE account + 0 = ").push_bind(self.owner.number);
                query.push(" AND number = ANY(ARRAY(");
                texts.push_numbers(query, self.owner.number);
                query.push("))");
            }
            (_, Way::Few | Way::Many | Way::Walk) => {
                query.push(" FROM call_heads WHERE account = ").push_bind(self.owner.number);
                self.push_trial(query);
            }
        }
        self.push_facts(query);
    }

    /// The same: which index to use is Postgres's own business.
    pub(super) fn push_by(&self, query: &mut Query, _index: &'static str) {
        self.push(query);
    }

    /// Adds that calls have the texts, to be tried on each.
    pub(super) fn push_trial(&self, query: &mut Query) {
        if let Some(texts) = &self.texts {
            texts.push_trial(query);
        }
    }

    /// Adds what is to be tried on the heads. See [`CallFilter::fits`], which says the same.
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
            [agent] => {
                query.push(" AND agent = ").push_bind(bytes(agent));
            }
            agents => {
                let agents: Vec<Vec<u8>> = agents.iter().map(bytes).collect();
                query.push(" AND agent = ANY(").push_bind(agents).push(")");
            }
        }
        push_times(query, self.filter);
        if let Some(voices) = voices {
            let named: Vec<String> =
                voices.iter().flatten().map(|voice| super::storable(voice).into_owned()).collect();
            query.push(" AND (voice = ANY(").push_bind(named).push(")");
            query.push(if voices.contains(&None) { " OR voice IS NULL)" } else { ")" });
        }
    }
}
