//! `antiphon simulate`: runs scenarios and reports. What a scenario is and how it runs is the server's.

mod timeline;

use std::io::{self, IsTerminal as _, Write as _};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use antiphon_server::simulation::{Failure, Options, Run, Scenario, find, junit, run_all};
use anyhow::Context as _;
use serde_json::json;

use crate::exit::misuse;
use crate::screen::harmless;

/// How often the line of progress changes.
const PROGRESS: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon simulate examples/simulate                  all scenarios in a directory
  antiphon simulate greeting.yaml --repeat 100         with small differences of time
  antiphon simulate tests/ --quiet --junit report.xml  for continuous integration

Exit codes: 0 all passed, 1 something was not as expected, 2 a scenario or the command line is wrong.
The format is described in docs/simulation.md.")]
pub(crate) struct Args {
    /// Scenarios, or directories of them.
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Run only scenarios with this in their name or their file's, whatever the case.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run each scenario this often; from the second time on, everything takes up to a fifth more or less.
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
    /// Decides about these differences: the same number, the same calls.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// How many calls run at a time. Default: one for each core.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Show a conversation only if it went wrong.
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Write everything that happened as JSON to the standard output.
    #[arg(long)]
    json: bool,
    /// Write a JUnit report to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let scenarios = read(args)?;
    for scenario in &scenarios {
        for remark in &scenario.remarks {
            let path = harmless(&scenario.path.display().to_string());
            writeln!(anstream::stderr(), "warning: {path}: {}", harmless(remark))?;
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let options = Options {
        repeat: args.repeat.get(),
        seed: args.seed,
        jobs: args.jobs.map_or(cores, NonZeroUsize::get),
    };
    let mut report = Report::new(args, scenarios.len() * options.repeat as usize);
    let mut outcome = Ok(());
    run_all(&scenarios, options, |run| {
        if outcome.is_ok() {
            outcome = report.add(run);
        }
    });
    outcome?;
    report.end()
}

/// All scenarios that are wanted. One that is wrong is told before anything runs, and so are all others that are.
fn read(args: &Args) -> anyhow::Result<Vec<Scenario>> {
    let files = find(&args.paths)
        .map_err(|(path, error)| misuse(format!("cannot read {}: {error}", path.display())))?;
    let (mut scenarios, mut problems) = (Vec::new(), Vec::new());
    for file in &files {
        match Scenario::read(file) {
            Ok(scenario) => scenarios.push(scenario),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !problems.is_empty() {
        return Err(misuse(problems.join("\n       ")));
    }
    if files.is_empty() {
        return Err(misuse("there is no scenario here; they end in .yaml"));
    }
    if let Some(filter) = &args.filter {
        scenarios.retain(|scenario| is_meant(&scenario.name, &scenario.path, filter));
        if scenarios.is_empty() {
            return Err(misuse(format!("none of {} scenarios has {filter:?} in its name", files.len())));
        }
    }
    Ok(scenarios)
}

fn is_meant(name: &str, path: &Path, filter: &str) -> bool {
    let filter = filter.to_lowercase();
    let file = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.to_lowercase().contains(&filter) || file.contains(&filter)
}

/// What is shown and kept of the runs.
struct Report<'a> {
    args: &'a Args,
    total: usize,
    done: usize,
    failed: usize,
    /// Time on the clocks of the calls.
    simulated: Duration,
    started: Instant,
    /// When the line of progress was last drawn; nothing where nobody would see it.
    progress: Option<Instant>,
    /// The runs, where a report needs them.
    kept: Vec<Run>,
    keeps: bool,
}

impl<'a> Report<'a> {
    fn new(args: &'a Args, total: usize) -> Self {
        let now = Instant::now();
        Self {
            args,
            total,
            done: 0,
            failed: 0,
            simulated: Duration::ZERO,
            started: now,
            progress: io::stderr().is_terminal().then_some(now),
            kept: Vec::new(),
            keeps: args.junit.is_some() || args.json,
        }
    }

    fn add(&mut self, run: Run) -> anyhow::Result<()> {
        self.done += 1;
        self.failed += usize::from(!run.passed());
        self.simulated += run.lasting;
        if !self.args.json {
            self.show(&run)?;
        }
        if self.keeps {
            self.kept.push(run);
        }
        self.draw_progress()
    }

    fn show(&mut self, run: &Run) -> anyhow::Result<()> {
        // Of many repetitions only those are of interest that went wrong.
        let is_shown = !run.passed() || (run.repetition == 0 && !self.args.quiet);
        if run.passed() && run.repetition > 0 {
            return Ok(());
        }
        self.clear_progress()?;
        let mut out = anstream::stdout().lock();
        let verdict =
            if run.passed() { Style::new().fg_color(Some(AnsiColor::Green.into())) } else { timeline::ALERT };
        let word = if run.passed() { "PASS" } else { "FAIL" };
        let repetition = if run.repetition == 0 { String::new() } else { format!(" #{}", run.repetition) };
        let (name, file) = (harmless(&run.scenario), harmless(&run.file));
        let dim = timeline::DIM;
        writeln!(
            out,
            "{bold}{word}{bold:#} {name}{repetition}  {dim}{file}, {:.1} s{dim:#}",
            run.lasting.as_secs_f64(),
            bold = verdict.bold(),
        )?;
        if is_shown {
            timeline::show(&mut out, run)?;
        }
        for failure in &run.failures {
            show_failure(&mut out, failure)?;
        }
        if is_shown {
            writeln!(out)?;
        }
        Ok(())
    }

    fn draw_progress(&mut self) -> anyhow::Result<()> {
        let Some(drawn) = self.progress else { return Ok(()) };
        if drawn.elapsed() >= PROGRESS && self.done < self.total {
            self.progress = Some(Instant::now());
            write!(io::stderr(), "\r{} of {} calls, {} failed", self.done, self.total, self.failed)?;
        }
        Ok(())
    }

    fn clear_progress(&self) -> io::Result<()> {
        // ECMA-48 EL: the line is cleared.
        if self.progress.is_some() { write!(io::stderr(), "\r\x1b[2K") } else { Ok(()) }
    }

    fn end(self) -> anyhow::Result<()> {
        self.clear_progress()?;
        if let Some(path) = &self.args.junit {
            std::fs::write(path, junit(&self.kept))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.args.json {
            let document = json!({
                "passed": self.done - self.failed,
                "failed": self.failed,
                "seed": self.args.seed,
                "runs": self.kept,
            });
            serde_json::to_writer_pretty(io::stdout().lock(), &document)?;
            writeln!(io::stdout())?;
        } else {
            let (passed, failed) = (self.done - self.failed, self.failed);
            let simulated = self.simulated.as_secs_f64();
            let taken = self.started.elapsed().as_secs_f64();
            writeln!(
                anstream::stdout(),
                "{passed} passed, {failed} failed; {simulated:.0} s of calls in {taken:.2} s"
            )?;
        }
        match self.failed {
            0 => Ok(()),
            1 => anyhow::bail!("1 call did not go as expected"),
            failed => anyhow::bail!("{failed} calls did not go as expected"),
        }
    }
}

fn show_failure(out: &mut impl io::Write, failure: &Failure) -> io::Result<()> {
    let alert = timeline::ALERT;
    let place = if failure.line == 0 { String::new() } else { format!(" (line {})", failure.line) };
    writeln!(out, "  {alert}expected{alert:#} {}{place}", harmless(&failure.expected))?;
    for (index, line) in failure.happened.iter().enumerate() {
        let label = if index == 0 { "happened" } else { "" };
        writeln!(out, "  {alert}{label:<8}{alert:#} {}", harmless(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_names_and_files() {
        let path = Path::new("scenarios/Slow_Tool.yaml");
        assert!(is_meant("A tool that is slow", path, "SLOW"));
        assert!(is_meant("x", path, "slow_tool"));
        assert!(!is_meant("x", path, "scenarios"));
    }
}
