//! `antiphon doctor`: what keeps a server from doing well, before it runs.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use antiphon_server::app::examine_storage;
use antiphon_server::doctor::{Level, Line, examine};

use crate::config::ConfigFile;
use crate::exit::misuse;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads the configuration, writes a little to the disk, asks every model, voice and recognizer without a key, finds out what the
models can do, and measures how long a turn takes. Fails if something does not work.")]
pub(crate) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask those that have a key as well, which may cost money: some twenty short questions a model.
    #[arg(long)]
    paid: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let loaded = args.file.load()?;
    let mut worst = Level::Good;
    for warning in &loaded.warnings {
        print(&Line { level: Level::Warning, about: "configuration".to_owned(), text: warning.to_string() })?;
    }
    let backends = loaded.config.build_backends().map_err(|error| misuse(error.to_string()))?;
    print(&Line { level: Level::Good, about: "configuration".to_owned(), text: "is in order".to_owned() })?;
    print(&sound())?;
    // A terminal that is gone is told of at the end.
    let mut printed = Ok(());
    let mut tell = |line: Line| {
        worst = worst.max(line.level);
        printed = std::mem::replace(&mut printed, Ok(())).and_then(|()| print(&line));
    };
    if let Some(line) = examine_storage(&loaded.config.storage).await {
        tell(line);
    }
    examine(&loaded.config, &backends, args.paid, &mut tell).await;
    printed?;
    if worst == Level::Failure {
        anyhow::bail!("something does not work; what is marked with ✗ says what to do");
    }
    Ok(())
}

fn print(line: &Line) -> anyhow::Result<()> {
    let (mark, color) = match line.level {
        Level::Good => ("✓", AnsiColor::Green),
        Level::Note => ("·", AnsiColor::Cyan),
        Level::Warning => ("!", AnsiColor::Yellow),
        Level::Failure => ("✗", AnsiColor::Red),
    };
    let style = Style::new().fg_color(Some(color.into())).bold();
    writeln!(anstream::stdout(), "{style}{mark}{style:#} {}: {}", line.about, line.text)?;
    Ok(())
}

#[cfg(feature = "audio-devices")]
fn sound() -> Line {
    use cpal::traits::HostTrait as _;
    let host = cpal::default_host();
    let missing: Vec<&str> = [
        ("microphone", host.default_input_device().is_none()),
        ("loudspeaker", host.default_output_device().is_none()),
    ]
    .into_iter()
    .filter_map(|(name, missing)| missing.then_some(name))
    .collect();
    let (level, text) = if missing.is_empty() {
        (Level::Good, "there is a microphone and a loudspeaker for `antiphon talk`".to_owned())
    } else {
        let missing = missing.join(" and no ");
        (
            Level::Warning,
            format!("there is no {missing}; `antiphon talk` needs --text, or --input and --output"),
        )
    };
    Line { level, about: "sound".to_owned(), text }
}

#[cfg(not(feature = "audio-devices"))]
fn sound() -> Line {
    let text = "this binary has no microphone and loudspeaker; `antiphon talk` works with --text or with WAV files, or build \
                with --features audio-devices";
    Line { level: Level::Note, about: "sound".to_owned(), text: text.to_owned() }
}
