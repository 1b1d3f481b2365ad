//! TLS: the one cryptography library of the process, and whose certificates a server may have. Knows no protocol above it.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

/// Makes ring what rustls uses, unless the program has chosen something already.
pub(crate) fn prepare() {
    // An error says that there is a choice already, which is the program's to make.
    let _ = ring::default_provider().install_default();
}

/// Certificates that servers may have, or have theirs from, beside those that the machine trusts: of one's own authority, or of a
/// server that signed its own. Cheap to clone.
///
/// The machine's are those of the operating system; on Linux, the variable `SSL_CERT_FILE` names others.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificates: Vec<CertificateDer<'static>>,
    /// For WebSockets. Made when it is first used, since it reads the machine's certificates.
    config: OnceLock<Result<Arc<ClientConfig>, rustls::Error>>,
}

/// A text that holds no certificate. Whoever wrote it gives one, as `-----BEGIN CERTIFICATE-----`.
#[derive(Debug, thiserror::Error)]
#[error("there is no certificate in it in PEM form, which begins with -----BEGIN CERTIFICATE-----")]
pub struct NoCertificate;

impl Authorities {
    /// Reads certificates in PEM form; what else is among them is of no interest.
    ///
    /// # Errors
    /// There is none, or one is damaged.
    pub fn from_pem(pem: &[u8]) -> Result<Self, NoCertificate> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => {
                Ok(Self(Arc::new(Inner { certificates, config: OnceLock::new() })))
            }
            Ok(_) | Err(_) => Err(NoCertificate),
        }
    }

    /// Each as DER.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.certificates.iter().map(AsRef::as_ref)
    }

    /// What a connection is secured with that trusts them and the machine's.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let make = || {
            let provider = Arc::new(ring::default_provider());
            let verifier =
                Verifier::new_with_extra_roots(self.0.certificates.iter().cloned(), Arc::clone(&provider))?;
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth();
            Ok(Arc::new(config))
        };
        self.0.config.get_or_init(make).clone()
    }
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.0.certificates == other.0.certificates
    }
}

impl Eq for Authorities {}
