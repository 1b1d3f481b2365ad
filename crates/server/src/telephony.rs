//! What telephony providers say over HTTP and how they are answered, as far as their documents go: who signed a request, what is in
//! it, and the XML that lets them stream a call.
//!
//! Pure. Knows no account and no call; below all layers.

pub(crate) mod request;
pub(crate) mod signature;
pub(crate) mod xml;
