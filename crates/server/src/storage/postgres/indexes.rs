//! The words of corpora lie in rows that go with their documents: there is nothing to make and nothing to remove beside them.

use std::future::{Ready, ready};

use antiphon_api::CorpusSourceId;

use super::super::StorageError;
use super::Connection;

pub(super) fn make(_: &mut Connection, _corpus: i64) -> Ready<Result<(), StorageError>> {
    ready(Ok(()))
}

pub(super) fn remove(_: &mut Connection, _corpus: i64) -> Ready<Result<(), StorageError>> {
    ready(Ok(()))
}

pub(super) fn forget_source(
    _: &mut Connection,
    _corpus: i64,
    _source: CorpusSourceId,
) -> Ready<Result<(), StorageError>> {
    ready(Ok(()))
}
