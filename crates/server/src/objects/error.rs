//! What failures of object storage mean: whether to try again or to mend something, in words without what a storage repeats of a
//! request.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

/// Characters of what a storage says that are repeated.
const LONGEST: usize = 200;

/// Why object storage cannot be used at all. The operator mends the configuration.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no sense.
    #[error("objects cannot be kept as configured: {0}")]
    Settings(String),
    /// The directory cannot be used.
    #[error("objects.url: {path} cannot be used: {source}; make it writable for the server, or name another")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The URL names no place.
    #[error("objects.url {0}")]
    Place(&'static str),
}

/// Why object storage did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, or fails: the caller tries again.
    #[error("the object storage {place} does not do its work: {why}")]
    Away {
        /// Where it is.
        place: String,
        /// What happened.
        why: String,
    },
    /// There is no such bucket: the operator makes it.
    #[error("the object storage has no bucket for {place}; make it, or set objects.url to another")]
    NoBucket {
        /// Where it was looked for.
        place: String,
    },
    /// It does not let us: the operator mends the credentials or what they may do.
    #[error(
        "the object storage {place} refuses: {why}; check the credentials, objects.region, and that they may get, put, list and \
         delete objects there"
    )]
    Refused {
        /// Where it is.
        place: String,
        /// What it said.
        why: String,
    },
}

/// Why a file was not put into object storage.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file cannot be read: the operator looks at the disk.
    #[error("the file cannot be read: {0}")]
    File(#[from] io::Error),
    /// The storage did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What went wrong, before it is known whether that matters.
#[derive(Debug)]
pub(super) enum Trouble {
    Away(String),
    Missing,
    NoBucket,
    Refused(String),
    Slow,
}

impl Trouble {
    pub(super) fn at(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Away(why) => StoreError::Away { place, why },
            Self::Missing => StoreError::Away { place, why: "the object is gone".to_owned() },
            Self::NoBucket => StoreError::NoBucket { place },
            Self::Refused(why) => StoreError::Refused { place, why },
            Self::Slow => StoreError::Away { place, why: "it does not answer in time".to_owned() },
        }
    }
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Store;
        let text = error.to_string();
        if text.contains("<Code>NoSuchBucket</Code>") {
            return Self::NoBucket;
        }
        if matches!(error, Store::NotFound { .. }) {
            return Self::Missing;
        }
        let why = said(&text, &error);
        match matches!(error, Store::PermissionDenied { .. } | Store::Unauthenticated { .. }) {
            true => Self::Refused(why),
            false => Self::Away(why),
        }
    }
}

/// What a storage says for people: in XML its code and message and nothing else, since it may repeat what was signed. Otherwise the
/// innermost reason.
fn said(text: &str, error: &object_store::Error) -> String {
    if let Some(code) = element(text, "Code") {
        return element(text, "Message")
            .map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
    }
    let mut innermost = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    let text = innermost.map_or_else(|| text.to_owned(), ToString::to_string);
    text.chars().take(LONGEST).collect()
}

fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    let end = content.char_indices().nth(LONGEST).map_or(content.len(), |(end, _)| end);
    Some(&content[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(body: &str) -> object_store::Error {
        object_store::Error::PermissionDenied { path: "a".to_owned(), source: body.to_owned().into() }
    }

    #[test]
    fn of_a_refusal_its_code_and_message_are_repeated_and_nothing_that_was_signed() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>They differ.</Message>\
                    <StringToSign>AWS4-HMAC-SHA256 sesame</StringToSign></Error>";
        let told = Trouble::from(failed(body)).at("s3://a").to_string();
        assert!(told.contains("refuses: SignatureDoesNotMatch: They differ.; check"), "{told}");
        assert!(!told.contains("sesame"), "{told}");
    }

    #[test]
    fn what_is_said_is_bounded_and_a_missing_bucket_is_not_a_missing_object() {
        let long = failed(&format!("<Code>{0}</Code><Message>{0}</Message>", "ä".repeat(10_000)));
        assert!(Trouble::from(long).at("s3://a").to_string().chars().count() < 700);
        let missing = |body: &str| object_store::Error::NotFound {
            path: "a".to_owned(),
            source: body.to_owned().into(),
        };
        assert!(matches!(Trouble::from(missing("<Code>NoSuchKey</Code>")), Trouble::Missing));
        assert!(matches!(Trouble::from(missing("<Code>NoSuchBucket</Code>")), Trouble::NoBucket));
    }
}
