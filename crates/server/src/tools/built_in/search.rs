//! `queryCorpus`: looks something up in a corpus (protocol.md 6.11, A-47). What it is to be answered with is asked for here; whoever
//! knows corpora finds it.

use std::sync::Arc;

use antiphon_api::CorpusId;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::SelectedTool;
use antiphon_api::rest::corpora::CorpusQueryResult;
use antiphon_engine::input::{ToolAction, ToolAnswer, ToolOutcome};
use serde_json::{Value, json};

use super::super::outcome::{Answer, failed};
use super::super::{Finished, Refusal, ToolError};

/// What the override is called that says which corpus.
const CORPUS: &str = "corpus_id";
/// Results, if nobody says how many, and how many there are at most.
const USUAL: u64 = 5;
const MOST: u64 = 20;
/// Bytes of results that a model is given: whole documents may be long, and its context is not endless.
const MOST_BYTES: usize = 200_000;

/// What is looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CorpusQuery {
    pub(crate) corpus: CorpusId,
    pub(crate) query: String,
    pub(crate) max_results: u32,
    pub(crate) minimum_score: f64,
    parameters: JsonObject,
}

impl CorpusQuery {
    /// What a call with these parameters asks for.
    pub(in crate::tools) fn new(parameters: JsonObject) -> Result<Self, Refusal> {
        let text =
            |name: &str| parameters.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let query = text("query").to_owned();
        if query.is_empty() {
            return Err(Refusal("query: there is nothing to look for".to_owned()));
        }
        let corpus = text(CORPUS).parse().map_err(|error| Refusal(format!("{CORPUS}: {error}")))?;
        // A model that asks for more gets what there may be.
        let max_results = parameters
            .get("max_results")
            .and_then(Value::as_i64)
            .map_or(USUAL, |wanted| u64::try_from(wanted).unwrap_or(1).clamp(1, MOST));
        let minimum_score = parameters.get("minimum_score").and_then(Value::as_f64).unwrap_or(0.0);
        let max_results = u32::try_from(max_results).unwrap_or(u32::MAX);
        Ok(Self { corpus, query, max_results, minimum_score, parameters })
    }

    /// All parameters, those included that the model does not see.
    pub(crate) fn parameters(self) -> JsonObject {
        self.parameters
    }

    /// What the model is told: the results, the best first, each with where it is from.
    pub(crate) fn answer(&self, found: Vec<CorpusQueryResult>) -> Finished {
        let mut bytes = 0;
        let fits = |result: &CorpusQueryResult| {
            bytes += result.content.len();
            bytes <= MOST_BYTES
        };
        let good = found.into_iter().filter(|result| result.score >= self.minimum_score);
        let results: Vec<Value> = good.take_while(fits).map(|result| shown(&result)).collect();
        let text = json!({ "results": results }).to_string();
        let answer =
            ToolAnswer { action: ToolAction::Respond(Arc::from(text)), reaction: None, state_update: None };
        Finished { answer: Answer::Outcome(ToolOutcome::Answered(answer)), remark: None }
    }

    /// What the model is told if nothing could be looked up, and developers of why.
    pub(crate) fn failure(why: impl Into<Arc<str>>) -> Finished {
        Finished::failed(failed("The documents could not be searched.", why))
    }
}

/// A result as a model reads it: ids mean nothing to it.
fn shown(result: &CorpusQueryResult) -> Value {
    let mut citation = JsonObject::new();
    let parts = [("title", &result.citation.title), ("publicUrl", &result.citation.public_url)];
    for (name, part) in parts {
        if let Some(part) = part {
            citation.insert(name.to_owned(), Value::from(part.as_str()));
        }
    }
    let score = (result.score * 1_000.0).round() / 1_000.0;
    json!({"content": result.content, "score": score, "citation": citation})
}

/// Whether what a selection sets makes sense. `at` is the selection's field.
pub(super) fn check(fixed: &JsonObject, at: &str) -> Result<(), ToolError> {
    for (name, value) in fixed {
        let problem = match name.as_str() {
            CORPUS => {
                // An agent may leave it to each of its calls.
                let fits = |text: &str| text.contains("{{") || text.parse::<CorpusId>().is_ok();
                (!value.as_str().is_some_and(fits)).then_some("must be the id of a corpus")
            }
            "query" => (!value.is_string()).then_some("must be a text"),
            "max_results" => (!value.as_u64().is_some_and(|count| (1..=MOST).contains(&count)))
                .then_some("must be a whole number from 1 to 20"),
            "minimum_score" => (!value.as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)))
                .then_some("must be a number from 0 to 1"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(ToolError::new(format!("{at}.parameterOverrides.{name}"), problem));
        }
    }
    Ok(())
}

/// The corpus that a selection of this tool names, and the field that does.
pub(crate) fn corpus(selected: &SelectedTool) -> Option<(&'static str, Option<CorpusId>)> {
    let overrides = selected.parameter_overrides.as_ref()?;
    [CORPUS, "corpusId"].into_iter().find_map(|name| {
        let value = overrides.get(name)?;
        Some((name, value.as_str().and_then(|text| text.parse().ok())))
    })
}

#[cfg(test)]
mod tests {
    use antiphon_api::rest::corpora::CorpusQueryCitation;
    use antiphon_api::{CorpusDocumentId, CorpusSourceId};
    use uuid::Uuid;

    use super::*;

    const ID: &str = "11111111-2222-4333-8444-555555555555";

    fn object(value: Value) -> JsonObject {
        let Value::Object(object) = value else { panic!("{value} is an object") };
        object
    }

    fn query(parameters: Value) -> Result<CorpusQuery, Refusal> {
        let mut all = object(json!({"corpus_id": ID, "minimum_score": 0}));
        all.extend(object(parameters));
        CorpusQuery::new(all)
    }

    fn found(content: &str, score: f64) -> CorpusQueryResult {
        CorpusQueryResult {
            content: content.to_owned(),
            score,
            citation: CorpusQueryCitation {
                source_id: CorpusSourceId::new(Uuid::nil()),
                document_id: CorpusDocumentId::new(Uuid::nil()),
                public_url: None,
                title: Some("Bakery".to_owned()),
            },
        }
    }

    #[test]
    fn a_query_has_a_text_and_as_many_results_as_there_may_be() {
        let read = query(json!({"query": " bread "})).unwrap();
        assert_eq!((read.query.as_str(), read.max_results, read.minimum_score), ("bread", 5, 0.0));
        for (wanted, given) in [(-1, 1), (0, 1), (7, 7), (100, 20)] {
            assert_eq!(query(json!({"query": "x", "max_results": wanted})).unwrap().max_results, given);
        }
        assert!(query(json!({"query": "  "})).unwrap_err().0.starts_with("query: "));
        assert!(
            query(json!({"query": "x", "corpus_id": "{{corpus}}"})).unwrap_err().0.starts_with("corpus_id: ")
        );
    }

    #[test]
    fn the_model_is_told_what_is_good_enough_and_not_too_much() {
        let told = |parameters, results| {
            let Answer::Outcome(ToolOutcome::Answered(answer)) =
                query(parameters).unwrap().answer(results).answer
            else {
                panic!("it is answered")
            };
            let ToolAction::Respond(text) = answer.action else { panic!("with a text") };
            serde_json::from_str::<Value>(&text).unwrap()["results"].clone()
        };
        let results = vec![found("Rye.", 0.51239), found("Spelt.", 0.2)];
        assert_eq!(
            told(json!({"query": "x", "minimum_score": 0.3}), results),
            json!([{"content": "Rye.", "score": 0.512, "citation": {"title": "Bakery"}}])
        );
        let long = vec![found(&"a".repeat(MOST_BYTES), 0.9), found("b", 0.8)];
        assert_eq!(told(json!({"query": "x"}), long).as_array().unwrap().len(), 1);
        assert_eq!(told(json!({"query": "x"}), Vec::new()), json!([]));
    }

    #[test]
    fn what_a_selection_sets_is_checked_by_name() {
        for (fixed, field) in [
            (json!({"corpus_id": "x"}), "corpus_id"),
            (json!({"corpus_id": 7}), "corpus_id"),
            (json!({"max_results": 21}), "max_results"),
            (json!({"max_results": 0}), "max_results"),
            (json!({"minimum_score": 1.5}), "minimum_score"),
            (json!({"query": []}), "query"),
        ] {
            let error = check(&object(fixed), "selectedTools[0]").unwrap_err();
            assert_eq!(error.field, format!("selectedTools[0].parameterOverrides.{field}"));
        }
        for fine in [
            json!({"corpus_id": ID, "max_results": 20, "minimum_score": 0.5}),
            json!({"corpus_id": "{{corpus}}"}),
        ] {
            assert_eq!(check(&object(fine), ""), Ok(()));
        }
    }
}
