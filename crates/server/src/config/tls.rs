//! `[server.tls]`: the certificate and the key with which the server speaks TLS itself, and what is wrong with the two. Knows no
//! connection.

mod validity;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use antiphon_api::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use super::problem::Checks;

/// A certificate of which fewer days are left is mentioned in the log.
const SOON: i64 = 14;
const DAY_S: i64 = 24 * 60 * 60;

/// The `[server.tls]` section. Both files are read when the server starts and when its configuration is reloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file with the server's certificate, and behind it those that lead to one that clients know.
    pub certificate: PathBuf,
    /// A PEM file with the key of the first certificate: PKCS #8, PKCS #1 or SEC 1, without a passphrase.
    pub key: PathBuf,
}

/// What the server proves its name with.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For rustls: HTTP/1.1 alone, TLS 1.2 and 1.3.
    pub config: Arc<ServerConfig>,
    /// The server's own certificate.
    pub certificate: CertificateDer<'static>,
    /// From when until when the certificate is valid, if that can be read.
    validity: Option<(Timestamp, Timestamp)>,
}

/// Why there is no identity. The operator mends the file that the field names.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}; make it readable for the server, or name another")]
    File {
        /// The field.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} holds no {wanted} in PEM form{why}")]
    Empty {
        /// The field.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What it holds instead, as far as that is known.
        why: &'static str,
    },
    /// The file is damaged.
    #[error("{path} is no proper PEM file: {why}; copy it again")]
    Damaged {
        /// The field.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key is another certificate's.
    #[error("is not the key of the first certificate in {certificate}; name the two that were made together")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The certificate or the key is of a kind that is not known.
    #[error("{certificate} and its key cannot be used: {why}; use RSA, ECDSA (P-256, P-384) or Ed25519")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl TlsError {
    /// The field that is at fault, below `server.tls`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::File { field, .. } | Self::Empty { field, .. } | Self::Damaged { field, .. } => field,
            Self::Mismatch { .. } => "key",
            Self::Unusable { .. } => "certificate",
        }
    }
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn identity(&self) -> Result<Identity, TlsError> {
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong("certificate", &self.certificate, "certificate", error))?;
        let certificates: Vec<CertificateDer<'static>> = certificates;
        let Some(first) = certificates.first() else {
            return Err(wrong("certificate", &self.certificate, "certificate", pem::Error::NoItemsFound));
        };
        let (first, validity) = (first.clone(), validity::of(first));
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| wrong("key", &self.key, "private key", error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows all versions that rustls does")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|error| {
                let certificate = self.certificate.clone();
                match matches!(error, rustls::Error::InconsistentKeys(_)) {
                    true => TlsError::Mismatch { certificate },
                    false => TlsError::Unusable { certificate, why: error.to_string() },
                }
            })?;
        // The server speaks nothing else, and a client that does is told so here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Identity { config: Arc::new(config), certificate: first, validity })
    }

    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Err(error) = self.identity() {
            checks.refuse(&format!("server.tls.{}", error.field()), error.to_string());
        }
    }
}

impl Identity {
    /// What clients will object to, or soon will, if anything.
    #[must_use]
    pub fn doubt(&self, now: Timestamp) -> Option<String> {
        let (from, until) = self.validity?;
        let days = |from: Timestamp, to: Timestamp| {
            (to.unix_micros() - from.unix_micros()).div_euclid(1_000_000 * DAY_S)
        };
        let renew = "renew it and reload the configuration";
        if until <= now {
            return Some(format!(
                "the certificate expired {} days ago, and clients refuse it; {renew}",
                days(until, now)
            ));
        }
        if from > now {
            return Some(format!(
                "the certificate is valid in {} days, and clients refuse it until then",
                days(now, from)
            ));
        }
        let left = days(now, until);
        (left < SOON).then(|| format!("the certificate expires in {left} days; {renew}"))
    }
}

fn wrong(field: &'static str, path: &Path, wanted: &'static str, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    if let pem::Error::Io(source) = error {
        return TlsError::File { field, path, source };
    }
    if !matches!(error, pem::Error::NoItemsFound) {
        return TlsError::Damaged { field, path, why: error.to_string() };
    }
    let encrypted = std::fs::read(&path)
        .is_ok_and(|text| text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED));
    let why =
        if encrypted { "; it is encrypted, so take its passphrase away with `openssl pkey`" } else { "" };
    TlsError::Empty { field, path, wanted, why }
}

/// What a file with an encrypted key says.
const ENCRYPTED: &[u8] = b"ENCRYPTED PRIVATE KEY";
