//! How a session ended.

use std::fmt;
use std::time::Duration;

/// Why a session ended. Later ones prevail over earlier ones where several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The scenario called `VoxEngine.terminate()`.
    Terminated,
    /// There was no call for too long.
    NoCalls,
    /// Somebody stopped it from outside.
    Stopped,
    /// The scenario threw an error that it did not catch.
    ScriptError,
    /// It lasted longer than a session may.
    SessionTooLong,
    /// A callback ran for longer than one may.
    CallbackTooLong,
    /// It wanted more memory than a session may have.
    OutOfMemory,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminated => "the scenario called VoxEngine.terminate()",
            Self::NoCalls => "there was no call for too long",
            Self::Stopped => "it was stopped",
            Self::ScriptError => "the scenario did not catch an error",
            Self::SessionTooLong => "it has lasted as long as a session may",
            Self::CallbackTooLong => "a callback ran for longer than one may",
            Self::OutOfMemory => "the scenario wanted more memory than a session may have",
        })
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended.
    pub cause: Cause,
    /// Errors of the scenario that nothing caught, rejected promises included.
    pub errors: u32,
    /// How long it lasted.
    pub lasted: Duration,
}

impl Outcome {
    /// Whether the session ended as its author meant it: without an error, and by none of the limits.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.errors == 0 && matches!(self.cause, Cause::Terminated | Cause::NoCalls | Cause::Stopped)
    }
}
