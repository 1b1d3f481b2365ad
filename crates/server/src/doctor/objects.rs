//! Whether the object storage of a configuration does its work.

use super::{Level, Line, line, ms};
use crate::config;
use crate::objects::{Objects, StoreError, Times};
use crate::telemetry::metrics::Metrics;

/// Tries it out, if there is one.
pub(super) async fn examine(settings: &config::Objects, tell: &mut dyn FnMut(Line)) {
    let objects = match Objects::open(settings, Metrics::default()) {
        Ok(None) => return,
        Ok(Some(objects)) => objects,
        Err(error) => return tell(line(Level::Failure, "objects", error.to_string())),
    };
    let about = format!("objects {}", objects.place());
    tell(match objects.try_out().await {
        Ok(Times { put, get, list, delete }) => {
            let text = format!(
                "a small object is put in {} ms, got in {} ms, listed in {} ms, deleted in {} ms",
                ms(put),
                ms(get),
                ms(list),
                ms(delete)
            );
            line(Level::Good, about, text)
        }
        Err((operation, error)) => {
            line(Level::Failure, about, format!("cannot {operation}: {}", remedy(&error)))
        }
    });
}

/// What happened, and what to do: a refusal and a missing bucket say it themselves.
fn remedy(error: &StoreError) -> String {
    match error {
        StoreError::Away { .. } => {
            format!("{error}; check objects.endpoint and objects.url, and that this machine reaches it")
        }
        StoreError::NoBucket { .. } | StoreError::Refused { .. } => error.to_string(),
    }
}
