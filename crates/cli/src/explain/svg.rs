//! The turns of a call as a drawing: a row a turn, its steps as stretches on one scale of time.

use antiphon_server::call::waterfall::{Mark, Outcome, Waterfall};

use crate::svg::{escape, line};

const LEFT: f64 = 250.0;
/// For what stands behind a bar: how long it took, and what went wrong.
const RIGHT: f64 = 270.0;
const PLOT: f64 = 700.0;
const TOP: f64 = 96.0;
const ROW: f64 = 30.0;
const BAR: f64 = 20.0;
/// How wide a character is at the usual size, about: drawings cannot measure text.
const CHARACTER: f64 = 6.8;
/// Characters of what was asked, and of the notes behind a bar.
const ASKED: usize = 30;
const NOTES: usize = 38;

/// What a stretch that ends in a step was spent on.
struct Stretch {
    name: &'static str,
    /// Its colour (a palette that colour-blind people can tell apart, after Okabe and Ito).
    colour: &'static str,
    /// The colour of figures on it.
    ink: &'static str,
}

const fn stretch(mark: Mark) -> Option<Stretch> {
    let (name, colour, ink) = match mark {
        Mark::UserEnd => return None,
        Mark::SpeechStop => ("noticing silence", "#777777", "white"),
        Mark::TurnEnd => ("end of turn", "#E69F00", "black"),
        Mark::Transcript => ("transcript", "#CC79A7", "black"),
        Mark::ModelRequest => ("before the model", "#C9A27A", "black"),
        Mark::FirstToken => ("first token", "#0072B2", "white"),
        Mark::FirstText => ("first sentence", "#56B4E9", "black"),
        Mark::FirstAudio => ("voice", "#009E73", "white"),
        Mark::FirstSent => ("sending", "#F0E442", "black"),
        Mark::FirstHeard => return None,
        Mark::FirstWord => ("first word", "#E2E2E2", "black"),
    };
    Some(Stretch { name, colour, ink })
}

/// The drawing as an SVG document.
pub(super) fn draw(call: &str, turns: &[Waterfall]) -> String {
    let longest = turns.iter().map(length).fold(0.2, f64::max);
    let step = nice_step(longest);
    let whole = (longest / step).ceil() * step;
    let x = |seconds: f64| LEFT + seconds / whole * PLOT;
    let width = LEFT + PLOT + RIGHT;
    let bottom = TOP + ROW * turns.len() as f64;
    let height = bottom + 48.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Call {}</text>\n",
        escape(call)
    );
    legend(&mut svg);
    let mut tick = 0.0;
    while tick <= whole + step / 2.0 {
        let (at, y, ms) = (x(tick), bottom + 16.0, tick * 1e3);
        line(
            &mut svg,
            format_args!(
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>",
                TOP - 6.0
            ),
        );
        line(
            &mut svg,
            format_args!("<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">{ms:.0}</text>"),
        );
        tick += step;
    }
    let (middle, y) = (LEFT + PLOT / 2.0, bottom + 36.0);
    line(
        &mut svg,
        format_args!(
            "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">milliseconds from the user's last \
             sample, or from the first step of a turn that nobody asked for</text>"
        ),
    );
    for (row, turn) in turns.iter().enumerate() {
        draw_turn(&mut svg, turn, TOP + ROW * row as f64, &x);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut at = 10.0;
    for Stretch { name, colour, .. } in Mark::ALL.into_iter().filter_map(stretch) {
        line(
            svg,
            format_args!("<rect x=\"{at:.1}\" y=\"40\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"),
        );
        line(svg, format_args!("<text x=\"{:.1}\" y=\"50\">{name}</text>", at + 17.0));
        at += 34.0 + CHARACTER * name.len() as f64;
    }
    line(svg, format_args!("<rect x=\"10\" y=\"60\" width=\"3\" height=\"14\" fill=\"black\"/>"));
    line(
        svg,
        format_args!(
            "<text x=\"20\" y=\"71\" fill=\"#555\">first sample heard: what the user waited for, in figures behind the bar</text>"
        ),
    );
}

fn draw_turn(svg: &mut String, turn: &Waterfall, y: f64, x: &impl Fn(f64) -> f64) {
    let steps = turn.steps();
    let text_y = y + BAR / 2.0 + 4.0;
    let label = match turn.asked.as_deref().map(str::trim) {
        None | Some("") => format!("{}  {}", turn.number, turn.opening.name()),
        Some(asked) => format!("{}  \u{201c}{}\u{201d}", turn.number, shortened(asked, ASKED)),
    };
    line(svg, format_args!("<text x=\"10\" y=\"{text_y:.1}\">{}</text>", escape(&label)));
    let Some((_, first)) = steps.first() else { return };
    let mut before = 0.0;
    for (mark, at) in &steps {
        let at = at.since(*first).as_secs_f64();
        if let Some(Stretch { name, colour, ink }) = stretch(*mark) {
            let (from, to, ms) = (x(before), x(at), format!("{:.0}", (at - before) * 1e3));
            let width = to - from;
            line(
                svg,
                format_args!(
                    "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"><title>{name}: {ms} ms</title></rect>",
                ),
            );
            if width > CHARACTER * ms.len() as f64 + 8.0 {
                let middle = (from + to) / 2.0;
                line(
                    svg,
                    format_args!(
                        "<text x=\"{middle:.1}\" y=\"{text_y:.1}\" text-anchor=\"middle\" font-size=\"11\" fill=\"{ink}\">{ms}</text>"
                    ),
                );
            }
        }
        before = at;
    }
    if let Some(heard) = turn.at(Mark::FirstHeard) {
        let at = x(heard.since(*first).as_secs_f64()) - 1.5;
        line(
            svg,
            format_args!(
                "<rect x=\"{at:.1}\" y=\"{:.1}\" width=\"3\" height=\"{}\" fill=\"black\"/>",
                y - 3.0,
                BAR + 6.0
            ),
        );
    }
    let latency = turn.latency().map_or_else(String::new, |latency| format!("{} ms", latency.as_millis()));
    let notes = notes(turn);
    // One text, so that nothing in it can lie over something else.
    line(
        svg,
        format_args!(
            "<text x=\"{:.1}\" y=\"{text_y:.1}\"><tspan font-weight=\"bold\">{latency}</tspan><tspan dx=\"8\" fill=\"#B04A00\">{}</tspan><title>{}</title></text>",
            x(before) + 8.0,
            escape(&shortened(&notes, NOTES)),
            escape(&notes)
        ),
    );
}

/// What there is to say besides times.
fn notes(turn: &Waterfall) -> String {
    let mut notes = Vec::new();
    match &turn.outcome {
        Outcome::Answered => {}
        Outcome::Unanswered | Outcome::Interrupted { .. } | Outcome::Dropped { .. } => {
            notes.push(turn.outcome.name().to_owned());
        }
    }
    for tool in &turn.tools {
        notes.push(match tool.ended {
            Some(ended) => format!("{} {} ms", tool.name, ended.since(tool.started).as_millis()),
            None => format!("{} never ended", tool.name),
        });
    }
    if !turn.stalls.is_empty() {
        notes.push(format!("stalled {}x", turn.stalls.len()));
    }
    if turn.underruns > 0 {
        notes.push(format!("audio ran out {}x", turn.underruns));
    }
    notes.join(", ")
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}\u{2026}", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn length(turn: &Waterfall) -> f64 {
    let steps = turn.steps();
    match (steps.first(), steps.last()) {
        (Some((_, first)), Some((_, last))) => last.since(*first).as_secs_f64(),
        _ => 0.0,
    }
}

/// A round distance between ticks that gives at most eight of them.
fn nice_step(longest: f64) -> f64 {
    let steps = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
    steps.into_iter().find(|step| longest / step <= 8.0).unwrap_or(longest / 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_is_no_markup() {
        assert_eq!(escape("<script>\"&\"\u{1}"), "&lt;script&gt;&quot;&amp;&quot; ");
        let drawing = draw("<call>", &[]);
        assert!(drawing.contains("Call &lt;call&gt;") && drawing.ends_with("</svg>\n"));
    }

    #[test]
    fn a_long_text_is_cut_where_people_see_it() {
        assert_eq!(shortened("please tell me", 30), "please tell me");
        assert_eq!(shortened("pl\u{e9}ase tell me", 7), "pl\u{e9}ase\u{2026}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        for longest in [0.01, 0.2, 0.7, 3.0, 12.0, 100.0, 5_000.0] {
            let step = nice_step(longest);
            assert!(longest / step <= 8.0 + 1e-9, "{longest}");
        }
    }
}
