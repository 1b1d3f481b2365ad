//! The models that agents can think with (protocol.md 7.17).

use crate::endpoint::endpoint;
use crate::json::check::Within;
use crate::json::record;
use crate::page::Page;

endpoint! {
    /// Lists the names that a call's `model` may have.
    pub ListModels: Get "/api/models" query ListModelsQuery, -> 200 Page<ModelAlias>
}

record! {
    /// The query of [`ListModels`].
    #[derive(Default)]
    pub struct ListModelsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Models on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

record! {
    /// A name of a model.
    pub resource struct ModelAlias {
        /// The name.
        name: String,
    }
}
