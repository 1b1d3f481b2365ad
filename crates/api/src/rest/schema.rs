//! The API's description of itself (protocol.md 7.18).

use crate::endpoint::{Payload, endpoint};
use crate::json::{Invalid, Parsed, record, words};
use crate::schema::{Schema, Schemas};

endpoint! {
    /// Reads this document. Without `format` the header `Accept` decides.
    pub ReadSchema: Get "/api/schema/" query ReadSchemaQuery, -> 200 ApiDocument | 406
}

record! {
    /// The query of [`ReadSchema`].
    #[derive(Default)]
    pub struct ReadSchemaQuery {
        /// How the document is written.
        format: Option<DocumentFormat>,
    }
}

words! {
    /// How a document is written.
    pub enum DocumentFormat {
        /// As JSON.
        Json = "json",
        /// As YAML.
        Yaml = "yaml",
    }
}

/// An `OpenAPI` document as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiDocument(pub Vec<u8>);

impl ApiDocument {
    /// What the document may be asked for as, the preferred first.
    pub const KINDS: [(&'static str, DocumentFormat); 4] = [
        ("application/vnd.oai.openapi", DocumentFormat::Yaml),
        ("application/yaml", DocumentFormat::Yaml),
        ("application/vnd.oai.openapi+json", DocumentFormat::Json),
        ("application/json", DocumentFormat::Json),
    ];
}

impl Payload for ApiDocument {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Self::from_response(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self(body.to_vec()), ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(self.0.clone())
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        Self::KINDS.map(|(kind, _)| (kind, Schema::of("object"))).into()
    }
}
