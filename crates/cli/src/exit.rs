//! How the program ends: exit codes, and the errors that say more than that something failed.

use std::io;
use std::process::ExitCode;

use crate::rest;

/// What was asked for was done.
pub(crate) const DONE: u8 = 0;
/// It could not be done; the message says why.
pub(crate) const FAILED: u8 = 1;
/// The command line or the configuration is wrong. The same code as the argument parser's.
pub(crate) const MISUSED: u8 = 2;
/// A scenario had an error that it did not catch.
#[cfg(feature = "scenario")]
pub(crate) const SCRIPT_FAILED: u8 = 3;
/// A scenario wanted more than it may have.
#[cfg(feature = "scenario")]
pub(crate) const EXCEEDED: u8 = 4;
/// A second Ctrl-C did not wait for the end: 128 and the number of SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 130 stopped by a second Ctrl-C.";

/// Something that whoever wrote the command line or the configuration has to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

/// An end that has a code of its own.
#[cfg(feature = "scenario")]
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) text: String,
}

/// An error for a wrong command line or configuration.
pub(crate) fn misuse(message: impl Into<String>) -> anyhow::Error {
    Misuse(message.into()).into()
}

/// An error and its causes on one line, without those that the text names already.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    if let Some(text) = error.downcast_ref().and_then(rest::explain) {
        return text;
    }
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// The code for an error. A reader that went away, as `head` does, is no failure.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    #[cfg(feature = "scenario")]
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return ExitCode::from(ended.code);
    }
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    ExitCode::from(if error.downcast_ref::<Misuse>().is_some() {
        MISUSED
    } else if error.downcast_ref::<io::Error>().is_some_and(gone) {
        DONE
    } else {
        FAILED
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_named_once() {
        let lost = || Err::<(), _>(io::Error::other("no disk"));
        let error = lost().context("cannot write x: no disk").unwrap_err();
        assert_eq!(describe(&error), "cannot write x: no disk");
        let error = lost().context("cannot write x").unwrap_err();
        assert_eq!(describe(&error), "cannot write x: no disk");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(code(&gone), ExitCode::from(DONE));
        assert_eq!(code(&misuse("x")), ExitCode::from(MISUSED));
        assert_eq!(code(&anyhow::anyhow!("x")), ExitCode::from(FAILED));
    }
}
