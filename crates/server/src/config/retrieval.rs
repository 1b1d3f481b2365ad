//! `[retrieval]`: what may be kept in corpora, how it is loaded, and how it is found.

use std::time::Duration;

use antiphon_backends::registry::config::EmbeddingsConfig;
use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[retrieval]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retrieval {
    /// How many corpora an account may have. Default 100.
    pub corpora_per_account: u32,
    /// How many bytes of uploads an account may have in all its corpora. Default 1 GiB.
    pub upload_bytes_per_account: u64,
    /// How many sources are loaded at a time from the web, and as many from uploads. Default 2.
    pub loading: usize,
    /// How long fetching the documents of one source from the web may take. Default 15 min.
    #[serde(with = "period")]
    pub crawl_time: Duration,
    /// What makes vectors of texts, so that they are found by meaning. Without it, they are found by their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<EmbeddingsConfig>,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            corpora_per_account: 100,
            upload_bytes_per_account: 1024 * 1024 * 1024,
            loading: 2,
            crawl_time: Duration::from_secs(15 * 60),
            embeddings: None,
        }
    }
}

impl Retrieval {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.loading == 0 || self.loading > 64 {
            checks.refuse(
                "retrieval.loading",
                "must be from 1 to 64: nothing would be loaded, or too much at once",
            );
        }
        if self.crawl_time.is_zero() {
            checks.refuse("retrieval.crawl_time", "no page could be fetched; write at least \"1s\"");
        }
    }
}
