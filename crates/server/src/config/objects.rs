//! `[objects]`: the object storage that recordings, journals and the recordings of cloned voices are handed to, if there is one.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Secret;
use super::problem::Checks;

/// The `[objects]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objects {
    /// Where they lie: `s3://BUCKET/PREFIX` of anything that speaks S3, or `file:///DIRECTORY` that all nodes share. Default none: they
    /// stay in the directories where calls write them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of what speaks S3, without the bucket: `https://minio.example.com:9000`. Default that of AWS in the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region. Default `AWS_REGION` of the environment where credentials come from there, or else `us-east-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the bucket is named in the path of requests; otherwise in the name of the host. Default true.
    pub path_style: bool,
    /// The id of the access key. Default none: credentials are what AWS's own programs find: variables such as `AWS_ACCESS_KEY_ID`, the
    /// web identity of a Kubernetes service account, the role of a container or of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The secret of the access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// A file that holds that secret; white space around it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_file: Option<PathBuf>,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            url: None,
            endpoint: None,
            region: None,
            path_style: true,
            access_key_id: None,
            secret_access_key: None,
            secret_access_key_file: None,
        }
    }
}

/// Where objects lie, as the URL says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a directory.
    Directory(PathBuf),
    /// In a bucket.
    Bucket {
        /// Which.
        bucket: String,
        /// What the names of all objects begin with; may be empty.
        prefix: String,
    },
}

impl Objects {
    /// Where objects lie; none if they stay in local directories.
    ///
    /// # Errors
    /// What is wrong with the URL, and what would be right.
    pub fn place(&self) -> Result<Option<Place>, &'static str> {
        let Some(url) = &self.url else { return Ok(None) };
        let url = Url::parse(url).map_err(|_| EXAMPLES)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds credentials, which would be shown; set access_key_id and secret_access_key");
        }
        if url.query().is_some() || url.fragment().is_some() || url.port().is_some() {
            return Err("holds more than a bucket and a prefix; set endpoint and region by themselves");
        }
        match url.scheme() {
            "file" => url.to_file_path().map(|path| Some(Place::Directory(path))).map_err(|()| EXAMPLES),
            "s3" => {
                let bucket = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or(EXAMPLES)?.to_owned();
                Ok(Some(Place::Bucket { bucket, prefix: url.path().trim_matches('/').to_owned() }))
            }
            _ => Err(EXAMPLES),
        }
    }

    /// The secret of the access key, if one is configured. Reads its file.
    ///
    /// # Errors
    /// The file cannot be read: the operator makes it readable, or names another.
    pub fn secret(&self) -> io::Result<Option<Secret>> {
        match (&self.secret_access_key, &self.secret_access_key_file) {
            (None, Some(path)) => Ok(Some(Secret::new(std::fs::read_to_string(path)?.trim()))),
            (secret, _) => Ok(secret.clone()),
        }
    }

    pub(super) fn validate(&self, checks: &mut Checks) {
        let place = match self.place() {
            Ok(place) => place,
            Err(problem) => return checks.refuse("objects.url", problem),
        };
        if let Some(Place::Directory(path)) = &place
            && path.exists()
            && !path.is_dir()
        {
            checks.refuse("objects.url", "is a file; name a directory");
        }
        let set = [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("secret_access_key_file", self.secret_access_key_file.is_some()),
        ];
        if !matches!(place, Some(Place::Bucket { .. })) {
            for (field, _) in set.iter().filter(|(_, is_set)| *is_set) {
                let problem =
                    "means something for a bucket only; set objects.url to s3://BUCKET, or leave it out";
                checks.refuse(&format!("objects.{field}"), problem);
            }
            return;
        }
        if let Some(endpoint) = &self.endpoint {
            let is_address = Url::parse(endpoint).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.path() == "/"
                    && url.query().is_none()
                    && url.username().is_empty()
            });
            if !is_address {
                checks.refuse(
                    "objects.endpoint",
                    "is no http or https address without a path; write it like \"https://minio.example.com:9000\"",
                );
            }
        }
        self.validate_credentials(checks);
    }

    fn validate_credentials(&self, checks: &mut Checks) {
        let secrets = usize::from(self.secret_access_key.is_some())
            + usize::from(self.secret_access_key_file.is_some());
        match (&self.access_key_id, secrets) {
            (None, 0) => {}
            (_, 2) => checks
                .refuse("objects.secret_access_key", "there is secret_access_key_file too; keep one of them"),
            (None, _) => checks.refuse("objects.access_key_id", "is missing beside its secret; set it"),
            (Some(_), 0) => checks.refuse(
                "objects.access_key_id",
                "has no secret beside it; set secret_access_key or secret_access_key_file",
            ),
            (Some(_), _) => match self.secret() {
                Ok(Some(secret)) if secret.expose().is_empty() => {
                    checks.refuse("objects.secret_access_key", "is empty; set it to the secret of the key");
                }
                Ok(_) => {}
                Err(error) => checks.refuse(
                    "objects.secret_access_key_file",
                    format!("cannot be read: {error}; make it readable for the server, or name another"),
                ),
            },
        }
    }
}

const EXAMPLES: &str =
    "is no place for objects; write it like \"s3://bucket/prefix\" or \"file:///mnt/shared/antiphon\"";
