//! Doc comments as descriptions: without what only readers of the code can follow.

/// The text of the doc comments among these attributes, a line each.
macro_rules! comment {
    ($(#[$($attribute:tt)*])*) => {
        concat!("" $(, $crate::schema::comment_line!($($attribute)*))*)
    };
}
pub(crate) use comment;

macro_rules! comment_line {
    (doc = $line:literal) => {
        concat!($line, "\n")
    };
    ($($attribute:tt)*) => {
        ""
    };
}
pub(crate) use comment_line;

/// What a doc comment says to those who do not have the code: no links into it, no sections of the project's own papers, no
/// examples in Rust. Lines become paragraphs where a blank one parts them.
#[must_use]
pub fn description(doc: &str) -> String {
    let text = doc.split("```").next().unwrap_or_default();
    let paragraphs = text.split("\n\n").flat_map(|part| part.split("\n \n"));
    let paragraphs = paragraphs.map(|lines| lines.split_whitespace().collect::<Vec<_>>().join(" "));
    let paragraphs: Vec<String> = paragraphs
        .map(|text| without_sources(&without_links(&text)))
        .filter(|text| !text.is_empty())
        .collect();
    paragraphs.join("\n\n")
}

/// ``[`Name`](path)`` and ``[`Name`]`` become `` `Name` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, behind)) = after.split_once("`]") else {
            plain.push_str("[`");
            rest = after;
            continue;
        };
        let short = name.rsplit("::").next().unwrap_or(name);
        plain.extend(["`", short, "`"]);
        rest = match behind.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    plain.push_str(rest);
    plain
}

/// Leaves out parentheses that only name sections and decisions of the protocol reference.
fn without_sources(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (") {
        let Some((inside, behind)) = after.split_once(')') else { break };
        kept.push_str(before);
        if !inside.starts_with("protocol.md") && !inside.starts_with("A-") {
            kept.extend([" (", inside, ")"]);
        }
        rest = behind;
    }
    kept.push_str(rest);
    kept
}
