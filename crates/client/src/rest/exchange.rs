//! Requests that no endpoint type describes, and answers of any status, as they come.

use antiphon_api::endpoint::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::answer::read;
use super::error::RestError;
use super::{Client, method};

/// An answer of any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, in the order they came in; those that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Sends a request as it stands and gives the answer whatever its status: for bodies that this version has no types for. `path`
    /// are the segments from the server's root, `body` is JSON text. Sent again only where [`send`](Self::send) would be, except
    /// that an answer is an answer.
    ///
    /// # Errors
    ///
    /// The server could not be reached, or went away, or answered without end.
    pub async fn exchange(
        &self,
        verb: Method,
        path: &[&str],
        query: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<RawAnswer, RestError> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have paths").pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut attempts = self.retries.attempts(verb);
        let response = loop {
            let mut request = self.http.request(method(verb), url.clone());
            if let Some(body) = body {
                request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
            }
            match request.send().await.map_err(RestError::unreachable) {
                Err(error) if attempts.again(&error).await => {}
                outcome => break outcome?,
            }
        };
        let (status, headers) = (response.status().as_u16(), texts(response.headers()));
        Ok(RawAnswer { status, headers, body: read(response).await? })
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}
