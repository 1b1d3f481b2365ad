//! Uploads: files on their way into a corpus.

use crate::endpoint::endpoint;
use crate::ids::{CorpusDocumentId, CorpusId};
use crate::json::check::{Chars, Link};
use crate::json::record;

endpoint! {
    /// Announces a file. Its bytes are then sent to the URL that is answered, by an HTTP PUT with the same `Content-Type`.
    pub CreateCorpusUpload: Post "/api/corpora/{corpus_id}/uploads"
        path CorpusId, body CorpusUploadRequest, -> 201 CorpusUpload
}

record! {
    /// What file is coming.
    pub struct CorpusUploadRequest {
        /// Its MIME type.
        mime_type: String where Chars(1, 200),
        /// Its name; the document's title, if the file has none.
        file_name: Option<String> where Chars(0, 255),
    }
}

record! {
    /// Where the file goes.
    pub struct CorpusUpload {
        /// The id that a source takes it by.
        document_id: CorpusDocumentId,
        /// Where its bytes are sent, within five minutes. Whoever has it may do that: it is a credential.
        presigned_url: String where Link,
    }
}
