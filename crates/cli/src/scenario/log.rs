//! The log of a session on the standard output: a line with the time since the session began. Nothing that is written to it can steer
//! the terminal.

use std::io::{self, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use antiphon_scenario::Voice;

use crate::screen::harmless;

const DIM: Style = Style::new().dimmed();
const ALERT: Style = AnsiColor::Red.on_default();

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The first line that could not be written. The session goes on without its log.
    trouble: Option<io::Error>,
}

impl Log {
    pub(super) fn line(&mut self, at: Duration, voice: Voice, text: &str) {
        let written = write(&stamp(at), voice, text);
        if let Err(error) = written {
            self.trouble.get_or_insert(error);
        }
    }

    /// A line about what followed the session.
    pub(super) fn remark(&mut self, text: &str) {
        if let Err(error) = write("         ", Voice::Note, text) {
            self.trouble.get_or_insert(error);
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.trouble.map_or(Ok(()), Err)
    }
}

fn write(stamp: &str, voice: Voice, text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let (style, mark) = match voice {
        Voice::Script => (Style::new(), ""),
        Voice::Note => (DIM, "-- "),
        Voice::Error => (ALERT, "error: "),
    };
    for (index, line) in text.lines().enumerate() {
        let (stamp, mark) = if index == 0 { (stamp, mark) } else { ("         ", "    ") };
        writeln!(out, "{DIM}{stamp}{DIM:#}  {style}{mark}{}{style:#}", harmless(line))?;
    }
    if text.is_empty() {
        writeln!(out, "{DIM}{stamp}{DIM:#}")?;
    }
    out.flush()
}

/// Minutes, seconds and milliseconds.
fn stamp(at: Duration) -> String {
    let (seconds, milliseconds) = (at.as_secs(), at.subsec_millis());
    format!("{:02}:{:02}.{milliseconds:03}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes_seconds_and_milliseconds() {
        assert_eq!(stamp(Duration::from_millis(61_042)), "01:01.042");
        assert_eq!(stamp(Duration::from_secs(6_000)), "100:00.000");
    }
}
