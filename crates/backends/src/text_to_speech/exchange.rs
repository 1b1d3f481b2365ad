//! One request to whatever speaks, and its streamed answer: the seam between a voice and the way out.
//!
//! A provider that the operator configured is dialled by [`Endpoint`](crate::http::Endpoint); an address that a user gave is dialled by
//! whoever knows what may be dialled. It must not know what is said.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderMap;

/// What is asked, by `POST`. Header values marked as sensitive are credentials.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer, whatever its status. Dropping it closes the connection, or leaves it for the next question.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The value of its `Content-Type`.
    pub content_type: Option<String>,
    /// How long it asks to be left alone, where it does (`Retry-After`, in seconds).
    pub retry_after: Option<Duration>,
    /// Its body as it arrives, or why there is no more of it, in words for developers and without credentials.
    pub body: BoxStream<'static, Result<Bytes, String>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A way to put questions. Dropping the future gives the question up.
pub trait Exchange: Send + Sync + 'static {
    /// Puts a question; the error says why there is no answer, in words for developers and without credentials.
    fn put(&self, question: Question) -> BoxFuture<'static, Result<Answer, String>>;
}

/// The value of a `Retry-After` header that names seconds; dates are rare, and too coarse for speech.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
