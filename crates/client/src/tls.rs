//! TLS: the one cryptography library of the process. Knows no protocol above it.

/// Makes ring what rustls uses, unless the program has chosen something already.
pub(crate) fn prepare() {
    // An error says that there is a choice already, which is the program's to make.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
