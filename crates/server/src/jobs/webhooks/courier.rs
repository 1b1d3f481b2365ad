//! How something is posted to a receiver, and what its answer means.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::outbound::{Bounds, Outbound, Request};

/// How much is read of an answer: enough to know what its sender says is wrong.
const ANSWER: usize = 4_096;
/// Characters of it that are kept.
const KEPT: usize = 200;
/// How long an answer may take. Whoever asks is less patient.
const PATIENCE: Duration = Duration::from_secs(15);

/// The way to receivers.
pub trait Courier: Send + Sync {
    /// Posts a request. What went wrong is said for people. Dropping the future gives up.
    fn post(&self, request: Request) -> BoxFuture<'_, Result<Reply, String>>;
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The beginning of what it said.
    pub said: String,
}

impl Reply {
    /// What is wrong with it, if anything is (protocol.md 7.5.3).
    pub(in crate::jobs) fn failure(&self) -> Option<String> {
        let status = self.status;
        match status {
            200..=299 => None,
            300..=399 => Some(format!(
                "HTTP status {status}: redirects are not followed; give the URL that it leads to"
            )),
            _ if self.said.is_empty() => Some(format!("HTTP status {status}")),
            _ => Some(format!("HTTP status {status}: {}", self.said)),
        }
    }
}

impl Courier for Outbound {
    fn post(&self, request: Request) -> BoxFuture<'_, Result<Reply, String>> {
        async move {
            let bounds = Bounds { time: PATIENCE, bytes: ANSWER };
            let response = self.send_once(request, bounds).await.map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&response.body);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            Ok(Reply { status: response.status.as_u16(), said: said.chars().take(KEPT).collect() })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_is_one() {
        let failure = |status, said: &str| Reply { status, said: said.to_owned() }.failure();
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(failure(status, "whatever"), None);
        }
        assert_eq!(failure(500, "").as_deref(), Some("HTTP status 500"));
        assert_eq!(failure(410, "no more").as_deref(), Some("HTTP status 410: no more"));
        assert!(failure(302, "").is_some_and(|why| why.contains("not followed")));
        assert!(failure(199, "").is_some());
    }
}
