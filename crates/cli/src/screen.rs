//! What a conversation looks like: on a terminal a line that changes in place below lines that stay, elsewhere plain lines, or a
//! JSON object a line for programs.
//!
//! Everything of others is shown without control characters, so that no server can steer the terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use antiphon_api::json::Invalid;
use antiphon_api::realtime::{AgentState, ClientMessage, ServerMessage, Speaker, ToolInvocation, ToolResult};
use antiphon_client::realtime::CloseReason;
use antiphon_client::transcript::Utterance;
use serde_json::json;

const DIM: Style = Style::new().dimmed();
const USER: Style = AnsiColor::Cyan.on_default().bold();
const AGENT: Style = AnsiColor::Green.on_default().bold();
const TOOL: Style = AnsiColor::Yellow.on_default();
const ALERT: Style = AnsiColor::Red.on_default();

/// Goes to the beginning of the line and clears it (ECMA-48 EL).
const CLEAR_LINE: &str = "\r\x1b[2K";
/// Columns of a terminal that does not say.
pub(crate) const USUAL_WIDTH: usize = 80;

/// Where a conversation is shown.
#[derive(Debug)]
pub(crate) struct Screen {
    form: Form,
    state: String,
    /// What the agent is saying, while it does.
    under_way: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A JSON object a line.
    Json,
    /// Finished lines above one that changes.
    Live,
    /// Finished lines only.
    Plain,
}

impl Screen {
    /// For people: live on a terminal, else plain.
    pub(crate) fn for_people() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self::new(if io::stdout().is_terminal() && !is_dumb { Form::Live } else { Form::Plain })
    }

    /// For programs.
    pub(crate) fn json() -> Self {
        Self::new(Form::Json)
    }

    fn new(form: Form) -> Self {
        Self { form, state: String::new(), under_way: String::new() }
    }

    /// A line about the conversation.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        self.line(&format!("{DIM}        {}{DIM:#}", harmless(text)))
    }

    pub(crate) fn state(&mut self, state: &AgentState) -> io::Result<()> {
        self.state = harmless(state.as_str());
        match self.form {
            Form::Json => Ok(()),
            Form::Live => self.refresh(),
            Form::Plain => self.note(&format!("({})", state.as_str())),
        }
    }

    /// What somebody says. Only what is finished stays.
    pub(crate) fn utterance(&mut self, said: &Utterance, interrupted: bool) -> io::Result<()> {
        let text = harmless(said.text.trim());
        if !said.is_final {
            self.under_way = text;
            return if self.form == Form::Live { self.refresh() } else { Ok(()) };
        }
        let (style, name) = match &said.role {
            Speaker::Agent => (AGENT, "agent"),
            Speaker::User => (USER, "user"),
            Speaker::Other(name) => (DIM, &**name),
        };
        if said.role == Speaker::Agent {
            self.under_way.clear();
        }
        let name = harmless(name);
        let cut = if interrupted { format!(" {ALERT}-- [interrupted]{ALERT:#}") } else { String::new() };
        self.line(&format!("{style}{name:>6}{style:#}  {text}{cut}"))
    }

    pub(crate) fn tool_wanted(&mut self, invocation: &ToolInvocation) -> io::Result<()> {
        let name = harmless(&invocation.tool_name);
        let arguments = harmless(&json!(invocation.parameters).to_string());
        self.line(&format!("{TOOL}  tool{TOOL:#}  {name}({arguments})"))
    }

    pub(crate) fn tool_result(&mut self, name: &str, result: &ToolResult) -> io::Result<()> {
        let name = harmless(name);
        let text = match (&result.result, &result.error_message) {
            (Some(text), _) => format!("= {}", harmless(&text.0)),
            (None, complaint) => {
                format!("{ALERT}failed{ALERT:#}: {}", harmless(complaint.as_deref().unwrap_or_default()))
            }
        };
        self.line(&format!("{TOOL}  tool{TOOL:#}  {name} {text}"))
    }

    /// A text frame that is no message.
    pub(crate) fn unreadable(&mut self, at: Duration, text: &str, problem: &Invalid) -> io::Result<()> {
        if self.form == Form::Json {
            let problem = problem.to_string();
            return self.json_line(&json!({"at": seconds(at), "unreadable": text, "problem": problem}));
        }
        self.note(&format!("the server sent something that is no message: {problem}"))
    }

    /// The call is over.
    pub(crate) fn closed(&mut self, reason: &CloseReason) -> io::Result<()> {
        self.state.clear();
        self.under_way.clear();
        if self.form == Form::Json {
            return self.json_line(&json!({"closed": reason.to_string(), "normal": reason.is_normal()}));
        }
        self.note(&reason.to_string())
    }

    /// A message of the server, for programs.
    pub(crate) fn received(&mut self, at: Duration, message: &ServerMessage) -> io::Result<()> {
        match self.form {
            Form::Json => self.json_line(&json!({"at": seconds(at), "received": message})),
            Form::Live | Form::Plain => Ok(()),
        }
    }

    /// A message of this client, for programs.
    pub(crate) fn sent(&mut self, at: Duration, message: &ClientMessage) -> io::Result<()> {
        match self.form {
            Form::Json => self.json_line(&json!({"at": seconds(at), "sent": message})),
            Form::Live | Form::Plain => Ok(()),
        }
    }

    /// A line that stays.
    fn line(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Json => return Ok(()),
            Form::Live => {
                clear_line()?;
                writeln!(anstream::stdout(), "{text}")?;
            }
            Form::Plain => writeln!(anstream::stdout(), "{text}")?,
        }
        if self.form == Form::Live { self.refresh() } else { Ok(()) }
    }

    /// Draws the line that changes: the state and the end of what the agent is saying, never wider than the terminal.
    fn refresh(&mut self) -> io::Result<()> {
        let columns = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0.into());
        let shown = match (self.state.as_str(), self.under_way.as_str()) {
            ("", "") => String::new(),
            (state, "") => format!("        ({state})"),
            (_, text) => format!(" agent  {}", last_chars(text, columns.saturating_sub(10))),
        };
        clear_line()?;
        let mut out = anstream::stdout();
        write!(out, "{DIM}{shown}{DIM:#}")?;
        out.flush()
    }

    fn json_line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{value}")?;
        out.flush()
    }
}

/// Leaves the terminal as it was found, however the conversation ends.
impl Drop for Screen {
    fn drop(&mut self) {
        if self.form == Form::Live {
            // A terminal that has gone needs no cleaning.
            let _ = clear_line().and_then(|()| io::stdout().flush());
        }
    }
}

/// Past the stream that takes colours out where they are not wanted, since it takes this out too.
fn clear_line() -> io::Result<()> {
    write!(io::stdout(), "{CLEAR_LINE}")
}

fn seconds(at: Duration) -> f64 {
    at.as_millis() as f64 / 1000.0
}

/// The text on one line and without anything that a terminal obeys.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

fn last_chars(text: &str, count: usize) -> String {
    let skipped = text.chars().count().saturating_sub(count);
    if skipped == 0 {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(skipped + 1).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_server_steers_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\nc\u{9b}d"), "a [2Jb  c d");
    }

    #[test]
    fn a_long_text_shows_its_end() {
        assert_eq!(last_chars("hello", 5), "hello");
        assert_eq!(last_chars("hello you", 5), "… you");
    }
}
