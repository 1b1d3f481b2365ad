//! Uploads: forms with files in them, and files to URLs that the server gives out.

use std::path::Path;
use std::time::Duration;

use antiphon_api::endpoint::{Endpoint, NoQuery, Payload};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::multipart;
use tokio::fs::File;

use super::answer::answer_to;
use super::error::RestError;
use super::{Client, method};

/// As long as there is progress, an upload may take this long.
const UPLOAD: Duration = Duration::from_secs(60 * 60);

/// A form, as `multipart/form-data`. Files are read while they are sent.
///
/// ```
/// use antiphon_client::rest::Form;
///
/// let form = Form::new().text("name", "Me").bytes("file", "me.wav", b"RIFF...".to_vec());
/// ```
#[derive(Debug, Default)]
pub struct Form(multipart::Form);

impl Form {
    /// One without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &'static str, value: impl Into<String>) -> Self {
        Self(self.0.text(name, value.into()))
    }

    /// Adds a file that is in memory.
    #[must_use]
    pub fn bytes(self, name: &'static str, file_name: impl Into<String>, file: Vec<u8>) -> Self {
        Self(self.0.part(name, multipart::Part::bytes(file).file_name(file_name.into())))
    }

    /// Adds a file of this machine.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub async fn file(self, name: &'static str, path: impl AsRef<Path>) -> Result<Self, RestError> {
        let (file, length) = open(path.as_ref()).await?;
        let part = multipart::Part::stream_with_length(file, length);
        let file_name = path.as_ref().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self(self.0.part(name, part.file_name(file_name))))
    }
}

impl Client {
    /// Sends a form to an endpoint that takes one beside JSON. What is answered depends on the endpoint, and may be something else
    /// than to JSON.
    ///
    /// # Errors
    ///
    /// The server could not be reached, or refused, or did not answer as the API says.
    pub async fn send_form<E, R>(&self, _endpoint: E, path: &E::Path, form: Form) -> Result<R, RestError>
    where
        E: Endpoint<Query = NoQuery>,
        R: Payload,
    {
        let url = self.address::<E>(path, &NoQuery);
        let request = self.http.request(method(E::METHOD), url).timeout(UPLOAD).multipart(form.0);
        answer_to(request).await?.parsed()
    }

    /// Puts a file of this machine where a URL leads that the server gave out for it. The API key does not go there.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or what is at the URL could not be reached, or refused.
    pub async fn put_file(
        &self,
        url: &str,
        content_type: &str,
        path: impl AsRef<Path>,
    ) -> Result<(), RestError> {
        let (file, length) = open(path.as_ref()).await?;
        let request = self.keyless.put(url).timeout(UPLOAD).header(CONTENT_TYPE, content_type);
        // A store that gives out URLs takes no body of unknown length.
        answer_to(request.header(CONTENT_LENGTH, length).body(file)).await?;
        Ok(())
    }
}

async fn open(path: &Path) -> Result<(File, u64), RestError> {
    let named = |error: std::io::Error| {
        RestError::File(std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    let file = File::open(path).await.map_err(named)?;
    let length = file.metadata().await.map_err(named)?.len();
    Ok((file, length))
}
