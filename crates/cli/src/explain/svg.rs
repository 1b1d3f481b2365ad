//! The turns of a call as a drawing: a row a turn, its steps as stretches on one scale of time.

use std::fmt::Write as _;

use antiphon_server::call::waterfall::{Mark, Outcome, Waterfall};

const LEFT: f64 = 250.0;
const RIGHT: f64 = 110.0;
const PLOT: f64 = 760.0;
const TOP: f64 = 84.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;

/// What a stretch that ends in this step was spent on, and its colour (a palette that colour-blind people can tell apart, after
/// Okabe and Ito).
const fn stretch(mark: Mark) -> Option<(&'static str, &'static str)> {
    match mark {
        Mark::UserEnd => None,
        Mark::SpeechStop => Some(("noticing silence", "#999999")),
        Mark::TurnEnd => Some(("end of turn", "#E69F00")),
        Mark::Transcript => Some(("transcript", "#CC79A7")),
        Mark::ModelRequest => Some(("before the model", "#BBBBBB")),
        Mark::FirstToken => Some(("model", "#0072B2")),
        Mark::FirstText => Some(("first sentence", "#56B4E9")),
        Mark::FirstAudio => Some(("voice", "#009E73")),
        Mark::FirstSent => Some(("sending", "#F0E442")),
        Mark::FirstHeard => None,
        Mark::FirstWord => Some(("first word", "#DDDDDD")),
    }
}

/// The drawing as an SVG document.
pub(super) fn draw(call: &str, turns: &[Waterfall]) -> String {
    let longest = turns.iter().map(length).fold(0.2, f64::max);
    let step = nice_step(longest);
    let whole = (longest / step).ceil() * step;
    let x = |seconds: f64| LEFT + seconds / whole * PLOT;
    let width = LEFT + PLOT + RIGHT;
    let height = TOP + ROW * turns.len() as f64 + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Call {}</text>\n",
        escape(call)
    );
    legend(&mut svg);
    let mut tick = 0.0;
    while tick <= whole + step / 2.0 {
        let bottom = TOP + ROW * turns.len() as f64;
        line(
            &mut svg,
            format_args!(
                "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#e5e5e5\"/>",
                x(tick)
            ),
        );
        let (at, y, ms) = (x(tick), bottom + 18.0, tick * 1e3);
        line(
            &mut svg,
            format_args!(
                "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#666\">{ms:.0} ms</text>"
            ),
        );
        tick += step;
    }
    for (row, turn) in turns.iter().enumerate() {
        draw_turn(&mut svg, turn, TOP + ROW * row as f64, &x);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut at = 10.0;
    for (name, colour) in Mark::ALL.into_iter().filter_map(stretch) {
        line(
            svg,
            format_args!("<rect x=\"{at:.1}\" y=\"40\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"),
        );
        line(svg, format_args!("<text x=\"{:.1}\" y=\"50\">{name}</text>", at + 16.0));
        at += 30.0 + 6.6 * name.len() as f64;
    }
    line(
        svg,
        format_args!(
            "<text x=\"10\" y=\"72\" fill=\"#666\">From the user's last sample, or the first step of the turn.</text>"
        ),
    );
}

fn draw_turn(svg: &mut String, turn: &Waterfall, y: f64, x: &impl Fn(f64) -> f64) {
    let steps = turn.steps();
    let text_y = y + BAR / 2.0 + 4.0;
    let asked: String = turn.asked.as_deref().unwrap_or_default().chars().take(26).collect();
    let label = match asked.as_str() {
        "" => format!("{}  {}", turn.number, turn.opening.name()),
        asked => format!("{}  {asked:?}", turn.number),
    };
    line(svg, format_args!("<text x=\"10\" y=\"{text_y:.1}\">{}</text>", escape(&label)));
    let Some((_, first)) = steps.first() else { return };
    let mut before = 0.0;
    for (mark, at) in &steps {
        let at = at.since(*first).as_secs_f64();
        if let Some((name, colour)) = stretch(*mark) {
            let (from, to) = (x(before), x(at));
            let ms = (at - before) * 1e3;
            line(
                svg,
                format_args!(
                    "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"><title>{name}: {ms:.0} ms</title></rect>",
                    to - from
                ),
            );
        }
        before = at;
    }
    let mut end = x(before) + 6.0;
    if let Some(latency) = turn.latency() {
        line(
            svg,
            format_args!(
                "<text x=\"{end:.1}\" y=\"{text_y:.1}\" font-weight=\"bold\">{} ms</text>",
                latency.as_millis()
            ),
        );
        end += 58.0;
    }
    let outcome = match &turn.outcome {
        Outcome::Answered => "",
        Outcome::Unanswered | Outcome::Interrupted { .. } | Outcome::Dropped { .. } => turn.outcome.name(),
    };
    line(svg, format_args!("<text x=\"{end:.1}\" y=\"{text_y:.1}\" fill=\"#D55E00\">{outcome}</text>"));
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

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes everything");
    svg.push('\n');
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() => escaped.push(' '),
            char => escaped.push(char),
        }
        escaped
    })
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
    fn ticks_are_round_and_few() {
        for longest in [0.01, 0.2, 0.7, 3.0, 12.0, 100.0, 5_000.0] {
            let step = nice_step(longest);
            assert!(longest / step <= 8.0 + 1e-9, "{longest}");
        }
    }
}
