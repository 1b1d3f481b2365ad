//! A simulated conversation as people read it: who said what when, what was cut off, and what tools did.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use antiphon_server::simulation::{Happening, Moment, Run, ToolEnd, clock};

use crate::screen::harmless;

pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const ALERT: Style = AnsiColor::Red.on_default();
const USER: Style = AnsiColor::Cyan.on_default().bold();
const AGENT: Style = AnsiColor::Green.on_default().bold();
const TOOL: Style = AnsiColor::Yellow.on_default();

/// Writes the conversation, a line a moment. Behind an answer stands how long the user waited for it.
pub(super) fn show(out: &mut impl Write, run: &Run) -> io::Result<()> {
    if run.real_model {
        writeln!(out, "  {DIM}(a real model: time ran as on the wall while it worked){DIM:#}")?;
    }
    let said: Vec<&str> = run
        .moments
        .iter()
        .filter_map(|moment| {
            let (Happening::UserSpoke { text, .. } | Happening::UserWrote { text }) = &moment.what else {
                return None;
            };
            Some(text.as_str())
        })
        .collect();
    for moment in &run.moments {
        if let Some(line) = line(moment, &said) {
            let is_answer = matches!(moment.what, Happening::Agent { .. });
            let reply = run.replies.iter().find(|reply| is_answer && reply.at == moment.at);
            let waited = reply.map(|reply| format!("  {DIM}[{:.2} s]{DIM:#}", reply.lasting.as_secs_f64()));
            let waited = waited.unwrap_or_default();
            writeln!(out, "  {DIM}{:>8}{DIM:#}  {line}{waited}", clock(moment.at))?;
        }
    }
    Ok(())
}

/// Nothing for what goes without saying: states, events that are no problem, and words that were understood as they were said.
fn line(moment: &Moment, said: &[&str]) -> Option<String> {
    let labelled = |style: Style, label: &str, text: &str| format!("{style}{label:>6}{style:#}  {text}");
    let noted = |text: String| format!("{DIM}        {text}{DIM:#}");
    Some(match &moment.what {
        Happening::Agent { heard, generated, interrupted } => {
            let text = harmless(heard);
            if *interrupted {
                let rest = generated.strip_prefix(heard.as_str()).unwrap_or(generated);
                let rest = harmless(rest);
                labelled(
                    AGENT,
                    "agent",
                    &format!("{text} {ALERT}-- [interrupted]{ALERT:#}{DIM}{rest}{DIM:#}"),
                )
            } else {
                labelled(AGENT, "agent", &text)
            }
        }
        Happening::Ended { reason } => noted(format!("the call ended: {reason}")),
        Happening::Event { kind, text, is_problem: true } => {
            format!("{ALERT}        {kind}: {}{ALERT:#}", harmless(text))
        }
        Happening::Event { is_problem: false, .. } | Happening::State { .. } => return None,
        Happening::Tool { name, arguments, result } => {
            let call = format!("{}({})", harmless(name), harmless(&arguments.to_string()));
            labelled(TOOL, "tool", &format!("{call} {}", tool_end(result.as_ref())))
        }
        Happening::User { text } if said.contains(&text.as_str()) => return None,
        Happening::User { text } => noted(format!("understood: {}", harmless(text))),
        Happening::UserHungUp => labelled(USER, "user", &format!("{DIM}(hangs up){DIM:#}")),
        Happening::UserNoise { lasting } => {
            labelled(USER, "user", &format!("{DIM}(a noise of {:.1} s){DIM:#}", lasting.as_secs_f64()))
        }
        Happening::UserPressed { digits } => {
            labelled(USER, "user", &format!("{DIM}(presses {}){DIM:#}", harmless(digits)))
        }
        Happening::UserSent { kind } => {
            labelled(USER, "user", &format!("{DIM}(sends a {}){DIM:#}", harmless(kind)))
        }
        Happening::UserSpoke { text, .. } => labelled(USER, "user", &harmless(text)),
        Happening::UserWrote { text } => {
            labelled(USER, "user", &format!("{} {DIM}(in writing){DIM:#}", harmless(text)))
        }
    })
}

fn tool_end(result: Option<&ToolEnd>) -> String {
    match result {
        None => format!("{DIM}(no result){DIM:#}"),
        Some(ToolEnd { after, text, error: None }) => {
            format!("= {} {DIM}after {:.1} s{DIM:#}", harmless(text), after.as_secs_f64())
        }
        Some(ToolEnd { after, error: Some(error), .. }) => {
            format!("{ALERT}failed{ALERT:#} after {:.1} s: {}", after.as_secs_f64(), harmless(error))
        }
    }
}
