//! Runs as a JUnit report, the format that continuous integration reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Failure, Run};

/// The report: a test suite a file, a test case a run. Times are those of the calls' own clocks.
#[must_use]
pub fn junit(runs: &[Run]) -> String {
    let mut files: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        files.entry(&run.file).or_default().push(run);
    }
    let failed = |runs: &[&Run]| runs.iter().filter(|run| !run.passed()).count();
    let all: Vec<&Run> = runs.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (count, failures) = (all.len(), failed(&all));
    put(
        &mut xml,
        format_args!("<testsuites name=\"antiphon simulate\" tests=\"{count}\" failures=\"{failures}\">\n"),
    );
    for (file, runs) in &files {
        let (file, count, failures) = (escaped(file), runs.len(), failed(runs));
        put(
            &mut xml,
            format_args!("  <testsuite name=\"{file}\" tests=\"{count}\" failures=\"{failures}\">\n"),
        );
        for run in runs {
            case(&mut xml, run, &file);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, run: &Run, file: &str) {
    let repetition = if run.repetition == 0 { String::new() } else { format!(" #{}", run.repetition) };
    let name = escaped(&format!("{}{repetition}", run.scenario));
    let time = run.lasting.as_secs_f64();
    put(xml, format_args!("    <testcase name=\"{name}\" classname=\"{file}\" time=\"{time:.3}\""));
    if run.passed() {
        xml.push_str("/>\n");
        return;
    }
    xml.push_str(">\n");
    for Failure { line, expected, happened } in &run.failures {
        let (expected, happened) = (escaped(expected), escaped(&happened.join("\n")));
        put(xml, format_args!("      <failure message=\"line {line}: {expected}\">{happened}</failure>\n"));
    }
    xml.push_str("    </testcase>\n");
}

fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    xml.write_fmt(text).expect("a string takes any text");
}

/// Text as XML 1.0 may hold it: what it has no place for becomes a question mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(char),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            char if char.is_control() => safe.push('?'),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_report_counts_and_escapes() {
        let run = |failures: Vec<Failure>| Run {
            scenario: "a <b> & \"c\"".into(),
            file: "x.yaml".into(),
            repetition: 0,
            failures,
            lasting: Duration::from_millis(1_500),
            real_model: false,
            replies: Vec::new(),
            interruptions: Vec::new(),
            moments: Vec::new(),
        };
        let failure =
            Failure { line: 7, expected: "it says \"x\"".into(), happened: vec!["it <said> \u{1b}y".into()] };
        assert_eq!(
            junit(&[run(Vec::new()), run(vec![failure])]),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="antiphon simulate" tests="2" failures="1">
  <testsuite name="x.yaml" tests="2" failures="1">
    <testcase name="a &lt;b&gt; &amp; &quot;c&quot;" classname="x.yaml" time="1.500"/>
    <testcase name="a &lt;b&gt; &amp; &quot;c&quot;" classname="x.yaml" time="1.500">
      <failure message="line 7: it says &quot;x&quot;">it &lt;said&gt; ?y</failure>
    </testcase>
  </testsuite>
</testsuites>
"#
        );
    }
}
