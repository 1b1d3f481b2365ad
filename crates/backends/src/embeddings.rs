//! Any model behind an OpenAI-compatible `/embeddings`: texts become vectors that lie near each other if the texts mean the same.
//!
//! Owns the requests, as many texts at a time as the endpoint takes, and the reading of the answers. It must not know what the
//! vectors are compared for.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::http::{Endpoint, next_part};

/// Bytes of an answer; more are no vectors of so many texts.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// Dimensions of a vector; more has no model.
const DIMENSIONS_LIMIT: usize = 16_384;

/// How an OpenAI-compatible model is asked for vectors.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The dimensions that are asked for, if the model has a choice.
    pub dimensions: Option<u32>,
    /// Texts of one request.
    pub batch: usize,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A model behind an OpenAI-compatible `/embeddings`.
#[derive(Debug, Clone)]
pub struct OpenAiEmbeddings {
    endpoint: Endpoint,
    settings: Arc<Settings>,
}

/// Texts that did not become vectors. The operator looks at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the embedding model \"{model}\" {reason}")]
pub struct EmbeddingsError {
    /// The model.
    pub model: Arc<str>,
    /// What went wrong.
    pub reason: String,
}

/// The request (OpenAI API reference, "Create embeddings").
#[derive(Serialize)]
struct Body<'t> {
    model: &'t str,
    input: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl OpenAiEmbeddings {
    /// A model at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        Self { endpoint, settings: Arc::new(settings) }
    }

    /// The model's name. Vectors of different models are not comparable.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// The vectors of texts, in their order, all of the same dimensions. Dropping the future closes the connection.
    ///
    /// # Errors
    /// See [`EmbeddingsError`].
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingsError> {
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
        for batch in texts.chunks(self.settings.batch.max(1)) {
            let more = self.batch(batch).await;
            let more = more.and_then(|more| {
                let first = vectors.first().or(more.first()).map_or(0, Vec::len);
                let alike = |vector: &Vec<f32>| vector.len() == first && vector.iter().all(|x| x.is_finite());
                match (1..=DIMENSIONS_LIMIT).contains(&first) && more.iter().all(alike) {
                    true => Ok(more),
                    false => Err("answered vectors that cannot be compared".to_owned()),
                }
            });
            match more {
                Ok(more) => vectors.extend(more),
                Err(reason) => {
                    return Err(EmbeddingsError { model: Arc::clone(&self.settings.model), reason });
                }
            }
        }
        Ok(vectors)
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let Settings { model, dimensions, timeout, .. } = &*self.settings;
        let by = Instant::now() + *timeout;
        let body = Body { model, input: texts, dimensions: *dimensions, encoding_format: "float" };
        let request = self.endpoint.post("/embeddings").json(&body);
        let mut response = self.endpoint.send(request, by).await.map_err(|failure| failure.to_string())?;
        let mut body = Vec::new();
        while let Some(part) = next_part(&mut response, by).await.map_err(|failure| failure.to_string())? {
            if body.len() + part.len() > ANSWER_LIMIT {
                return Err("answered more than vectors".to_owned());
            }
            body.extend_from_slice(&part);
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| format!("answered no vectors: {}", self.endpoint.shortened(&body)))?;
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts.len()];
        for (at, Embedding { index, embedding }) in answer.data.into_iter().enumerate() {
            if let Some(place) = vectors.get_mut(index.unwrap_or(at)) {
                *place = Some(embedding);
            }
        }
        let vectors: Option<Vec<_>> = vectors.into_iter().collect();
        vectors.ok_or_else(|| "answered fewer vectors than there are texts".to_owned())
    }
}
