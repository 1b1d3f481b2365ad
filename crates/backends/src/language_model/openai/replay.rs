//! Recordings that a server has been given, by ids: where it keeps them, the id is sent in the place of what was sent before.
//!
//! vLLM does (its `uuid`, inference.md 5.2), and refuses a request with an id that it has forgotten. It must not know how a request is
//! spelled or sent.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{Context, SHA256};

/// How many recordings are remembered as given, the latest. Servers keep some gigabytes of them.
const MOST: usize = 4_096;
/// Bytes of a digest in an id.
const ID_BYTES: usize = 16;

/// The id of a recording: a digest of it, so that no two recordings of any calls have the same.
pub(super) type Id = Arc<str>;

/// The id of these samples.
pub(super) fn id(samples: &[i16]) -> Id {
    let mut context = Context::new(&SHA256);
    for part in samples.chunks(1_024) {
        let bytes: Vec<u8> = part.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        context.update(&bytes);
    }
    let digest = context.finish();
    let hex = digest.as_ref().iter().take(ID_BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hex.into()
}

/// What a server has been given.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    known: HashSet<Id>,
    /// The oldest first.
    order: VecDeque<Id>,
}

impl Given {
    pub(super) fn has(&self, id: &Id) -> bool {
        self.ids().known.contains(id)
    }

    pub(super) fn add(&self, ids: &[Id]) {
        let mut given = self.ids();
        for id in ids {
            if given.known.insert(Arc::clone(id)) {
                given.order.push_back(Arc::clone(id));
            }
        }
        while given.order.len() > MOST
            && let Some(oldest) = given.order.pop_front()
        {
            given.known.remove(&oldest);
        }
    }

    /// The server may not have these any more.
    pub(super) fn forget(&self, ids: &[Id]) {
        let Ids { known, order } = &mut *self.ids();
        for id in ids {
            known.remove(id);
        }
        order.retain(|id| known.contains(id));
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_one_id_and_another_has_another() {
        let long = vec![7; 5_000];
        assert_eq!(id(&long), id(&long));
        assert_eq!(id(&long).len(), 2 * ID_BYTES);
        assert_ne!(id(&long), id(&long[1..]));
        // SHA-256 of nothing.
        assert_eq!(&*id(&[]), "e3b0c44298fc1c149afbf4c8996fb924");
    }

    #[test]
    fn the_latest_are_remembered_within_bounds() {
        let given = Given::default();
        let ids: Vec<Id> = (0..MOST + 10).map(|n| n.to_string().into()).collect();
        for id in &ids {
            given.add(&[Arc::clone(id), Arc::clone(id)]);
        }
        assert!(!given.has(&ids[9]) && given.has(&ids[10]) && given.has(&ids[MOST + 9]));
        given.forget(&ids[10..12]);
        assert!(!given.has(&ids[10]) && given.has(&ids[12]));
        given.add(&ids[10..11]);
        assert!(given.has(&ids[10]));
        assert!(given.ids().known.len() <= MOST && given.ids().order.len() <= MOST);
    }
}
