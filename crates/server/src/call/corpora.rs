//! The corpora of a call: those that its tools look things up in are the account's, and what is looked up runs beside the call.

use antiphon_api::rest::calls::StartCallRequest;

use super::live::CreateError;
use super::setup::SetupError;
use crate::retrieval::{Retrieval, result};
use crate::storage::{AccountId, Storage};
use crate::tools::built_in::{self, search};
use crate::tools::{CorpusQuery, Finished};

/// Holds the selections of `queryCorpus` to corpora that the account has. Variables have their values by now.
pub(super) async fn check(
    storage: &Storage,
    account: AccountId,
    request: &StartCallRequest,
) -> Result<(), CreateError> {
    for (index, selected) in request.selected_tools.iter().flatten().enumerate() {
        let searches = built_in::find(&selected.tool).is_some_and(built_in::BuiltIn::searches);
        // One that names no corpus is refused with everything else that cannot be.
        let Some((name, id)) = search::corpus(selected).filter(|_| searches) else { continue };
        let found = match id {
            Some(id) => storage.corpora.find_corpus(account, id).await?.is_some(),
            None => false,
        };
        if !found {
            let field = format!("selectedTools[{index}].parameterOverrides.{name}");
            let message = "there is no such corpus; name one of the account's by its \"corpusId\"";
            return Err(SetupError::new(field, message).into());
        }
    }
    Ok(())
}

/// Looks something up.
pub(super) async fn look_up(retrieval: Retrieval, query: CorpusQuery) -> Finished {
    match retrieval.search(query.corpus, &query.query, query.max_results).await {
        Ok(found) => query.answer(found.into_iter().map(result).collect()),
        Err(error) => {
            tracing::error!(%error, "a corpus could not be searched");
            CorpusQuery::failure("the server could not reach its database")
        }
    }
}
