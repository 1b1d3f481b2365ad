//! Names for the pieces of work a conversation starts, so that every result says what it answers.
//!
//! The engine counts them itself; a late result of cancelled work is recognised by its id and dropped. What the wire calls
//! these things is decided at the edge.

use std::fmt;

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

counter_id!(
    /// One stretch of the user's speech that was taken as a turn.
    TurnId, "turn-"
);
counter_id!(
    /// One run of the language model.
    GenerationId, "generation-"
);
counter_id!(
    /// One piece of text handed to the voice, usually a sentence.
    UtteranceId, "utterance-"
);
counter_id!(
    /// One invocation of a tool.
    InvocationId, "invocation-"
);
counter_id!(
    /// One stage of the call; the first is 0.
    #[derive(Default)]
    StageNumber, "stage-"
);
counter_id!(
    /// A message's place in the conversation as clients see it: counts up over both roles (protocol.md 3.3, rule 6).
    Ordinal, "ordinal-"
);

/// Hands out ids of one kind in rising order.
#[derive(Debug, Default)]
pub(crate) struct Counter(u32);

impl Counter {
    /// The id that comes next.
    pub(crate) fn peek(&self) -> u32 {
        self.0
    }

    pub(crate) fn next(&mut self) -> u32 {
        let id = self.0;
        self.0 += 1;
        id
    }
}
