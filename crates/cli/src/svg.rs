//! The writing of SVG documents: lines of elements, and texts that are no markup. Knows no drawing.

use std::fmt::Write as _;

/// Adds a line to a document.
pub(crate) fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes everything");
    svg.push('\n');
}

/// A text as it stands in an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
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
