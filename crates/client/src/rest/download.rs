//! Downloads: answers that are written away as they come, and never held as a whole.

use std::time::Duration;

use antiphon_api::endpoint::{Endpoint, NoBody};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::answer::accepted;
use super::error::RestError;
use super::{Client, method};

/// As long as there is progress, a download may take this long.
const DOWNLOAD: Duration = Duration::from_secs(6 * 60 * 60);

impl Client {
    /// Writes the body of an answer, such as a call's recording, to `to`, and says how many bytes it had. When it fails midway, what
    /// came so far has been written.
    ///
    /// # Errors
    ///
    /// The server could not be reached, or refused, or went away before the end; or nothing more can be written.
    pub async fn download<E: Endpoint<Body = NoBody>>(
        &self,
        _endpoint: E,
        path: &E::Path,
        query: &E::Query,
        to: &mut (impl AsyncWrite + Unpin + Send),
    ) -> Result<u64, RestError> {
        let url = self.address::<E>(path, query);
        let mut attempts = self.retries.attempts(E::METHOD);
        // Sent again only as long as nothing was written.
        let mut response = loop {
            match accepted(self.http.request(method(E::METHOD), url.clone()).timeout(DOWNLOAD)).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => break outcome?,
            }
        };
        let mut written = 0;
        while let Some(piece) = response.chunk().await.map_err(RestError::unreachable)? {
            to.write_all(&piece).await.map_err(RestError::File)?;
            written += piece.len() as u64;
        }
        to.flush().await.map_err(RestError::File)?;
        Ok(written)
    }
}
