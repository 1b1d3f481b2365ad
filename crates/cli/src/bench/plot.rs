//! The figures by the number of calls, as a drawing: three panels, one above another, on one scale of calls.

use std::fmt::Write as _;

use super::figures::{Distribution, Step};
use super::report::Subject;
use crate::svg::{escape, line};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const PANEL: f64 = 180.0;
const GAP: f64 = 52.0;
const TOP: f64 = 84.0;

/// Colours that colour-blind people can tell apart, after Okabe and Ito.
const COLOURS: [&str; 3] = ["#0072B2", "#E69F00", "#009E73"];

type Figure = fn(&Step) -> Option<f64>;

/// A panel: its title, and what is drawn in it by name.
type Panel = (&'static str, &'static [(&'static str, Figure)]);

const PANELS: [Panel; 3] = [
    (
        "Milliseconds, 99th percentile",
        &[
            ("frame lateness", |step| p99(step.frame_lateness_ms)),
            ("answer to writing", |step| p99(step.written_reply_ms)),
            ("own lateness", |step| p99(step.own_lateness_ms)),
        ],
    ),
    (
        "Per cent of a core, a call",
        &[("server", |step| step.cpu_percent_per_call), ("bare sockets", |step| step.floor_percent_per_call)],
    ),
    ("KiB of memory, a call", &[("server", |step| step.memory_kib_per_call)]),
];

fn p99(distribution: Option<Distribution>) -> Option<f64> {
    distribution.map(|distribution| distribution.p99)
}

/// The drawing as an SVG document.
pub(super) fn draw(subject: &Subject, steps: &[Step]) -> String {
    let height = TOP + (PANEL + GAP) * PANELS.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"10\" y=\"44\" fill=\"#555\">{} Hz both ways, 20 ms frames; by the number of calls at a time</text>\n",
        escape(&subject.server),
        subject.rate_hz
    );
    let most = steps.iter().map(|step| f64::from(step.calls)).fold(1.0, f64::max);
    for (index, (title, figures)) in PANELS.iter().enumerate() {
        panel(&mut svg, TOP + (PANEL + GAP) * index as f64, title, figures, steps, most);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, title: &str, figures: &[(&str, Figure)], steps: &[Step], most: f64) {
    let all = figures.iter().flat_map(|(_, figure)| steps.iter().filter_map(figure));
    let largest = all.fold(0.0, f64::max);
    let step = nice_step(largest);
    let highest = (largest.max(step) / step).ceil() * step;
    let bottom = top + PANEL;
    let (x, y) = (
        |calls: f64| LEFT + calls / most * (WIDTH - LEFT - RIGHT),
        |value: f64| bottom - value / highest * PANEL,
    );
    line(svg, format_args!("<text x=\"10\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>", top - 10.0));
    let mut tick = 0.0;
    while tick <= highest + step / 2.0 {
        let at = y(tick);
        line(
            svg,
            format_args!(
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                plain(tick)
            ),
        );
        tick += step;
    }
    for step in steps {
        let at = x(step.calls.into());
        line(
            svg,
            format_args!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
                bottom + 16.0,
                step.calls
            ),
        );
    }
    for (index, ((name, figure), colour)) in figures.iter().zip(COLOURS).enumerate() {
        let points: Vec<(f64, f64)> = steps
            .iter()
            .filter_map(|step| figure(step).map(|value| (x(step.calls.into()), y(value))))
            .collect();
        if points.is_empty() {
            continue;
        }
        let path = points.iter().fold(String::new(), |mut path, (x, y)| {
            let _ = write!(path, "{x:.1},{y:.1} ");
            path
        });
        line(
            svg,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.trim_end()
            ),
        );
        for (x, y) in points {
            line(svg, format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"));
        }
        let at = top + 12.0 + 18.0 * index as f64;
        line(
            svg,
            format_args!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{at:.1}\">{name}</text>",
                WIDTH - RIGHT + 16.0,
                at - 10.0,
                WIDTH - RIGHT + 34.0
            ),
        );
    }
}

/// A step of 1, 2 or 5 times a power of ten that cuts `highest` into about five.
fn nice_step(highest: f64) -> f64 {
    let rough = (highest / 5.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| rough <= factor * power).unwrap_or(10.0);
    factor * power
}

/// A number without digits that say nothing.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::figures::Tally;
    use super::*;

    #[test]
    fn steps_are_round() {
        for (highest, step) in [(0.37, 0.1), (9.0, 2.0), (12.0, 5.0), (480.0, 100.0)] {
            assert!((nice_step(highest) - step).abs() < 1e-9, "{highest}: {}", nice_step(highest));
        }
    }

    #[test]
    fn every_step_is_in_the_drawing_and_names_are_escaped() {
        let steps: Vec<Step> = [50, 100]
            .into_iter()
            .map(|calls| Step { cpu_percent_per_call: Some(0.2), ..Step::of(calls, 20.0, Tally::default()) })
            .collect();
        let subject = Subject {
            server: "<a & b>".to_owned(),
            rate_hz: 16_000,
            speech: "x".to_owned(),
            client_buffer_ms: 60,
            shared: false,
        };
        let svg = draw(&subject, &steps);
        assert!(svg.contains("&lt;a &amp; b&gt;"));
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<polyline").count(), 1);
    }
}
