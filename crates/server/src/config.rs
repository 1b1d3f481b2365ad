//! The configuration: one typed section a file, read once from a TOML file and the environment, and passed down as values.
//!
//! Everything has a default; a file need not exist. An environment variable `ANTIPHON_SECTION__FIELD` overrides a field, with
//! two underscores between the names: `ANTIPHON_SERVER__LISTEN=0.0.0.0:80`, `ANTIPHON_CALLS__MAXIMUM_DURATION=10m`. Everything that is wrong
//! is reported at once, each with its place and remedy.

mod auth;
mod calls;
mod cluster;
mod connections;
mod difference;
mod document;
mod journal;
mod limits;
mod log;
mod objects;
mod outbound;
mod period;
mod problem;
mod public_url;
mod recordings;
mod retrieval;
mod secret;
mod server;
mod storage;
mod summaries;
mod telemetry;
mod tls;
mod turn_taking;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use antiphon_backends::embeddings::OpenAiEmbeddings;
use antiphon_backends::registry;
use antiphon_backends::registry::config::{
    BackendsConfig, ModelConfig, TranscriptionConfig, TurnDetectionConfig, VoiceActivityConfig, VoiceConfig,
    VoiceProvidersConfig,
};
use antiphon_backends::registry::{BackendError, Backends, Listeners};
use serde::{Deserialize, Serialize};

pub use auth::{Auth, ConfiguredAccount, ConfiguredKey, KeyError, account_name_problem};
pub use calls::{Calls, DefaultMedium};
pub use cluster::Cluster;
pub use connections::Connections;
pub use difference::Difference;
pub use journal::{Journal, UserTextChoice};
pub use limits::{Limits, OwnLimits};
pub use log::{Log, LogFormat};
pub use objects::{Objects, Place};
pub use outbound::{InvalidTarget, Outbound, Target};
pub use problem::{Problem, Source};
pub use public_url::{InvalidPublicUrl, PublicUrl};
pub use recordings::Recordings;
pub use retrieval::Retrieval;
pub use secret::Secret;
pub use server::Server;
pub use storage::Storage;
pub use summaries::{Summaries, Summarizing};
pub use telemetry::Telemetry;
pub use tls::{Identity, Tls, TlsError};
pub use turn_taking::{Speculation, TurnTaking};
pub use webhooks::Webhooks;

use document::Document;
use problem::Checks;

/// A configuration file that sets nothing and explains everything: what `antiphon config init` writes.
pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// What every variable of ours begins with.
const VARIABLE_PREFIX: &str = "ANTIPHON_";
/// Variables of ours that are no part of the configuration: which file to read, and what the command line's clients use.
const OTHER_VARIABLES: [&str; 3] = ["ANTIPHON_CONFIG", "ANTIPHON_API_KEY", "ANTIPHON_URL"];

/// A server's configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the server listens and how much it takes.
    pub server: Server,
    /// Who may use it.
    pub auth: Auth,
    /// Where things are kept.
    pub storage: Storage,
    /// Where recordings are kept, and at which rate.
    pub recordings: Recordings,
    /// Where they and journals are handed to.
    pub objects: Objects,
    /// What calls get and may not exceed.
    pub calls: Calls,
    /// How nodes find out which of them are there.
    pub cluster: Cluster,
    /// How many connections there may be, and how slow.
    pub connections: Connections,
    /// What accounts may not exceed.
    pub limits: Limits,
    /// What calls leave to be replayed and explained from.
    pub journal: Journal,
    /// Whom the server dials on a user's behalf.
    pub outbound: Outbound,
    /// What may be kept in corpora, and how it is found.
    pub retrieval: Retrieval,
    /// Whether calls are summed up, and by which model.
    pub summaries: Summaries,
    /// When speech counts.
    pub turn_taking: TurnTaking,
    /// `[models.NAME]`: language models by the name that calls choose them by. `demo`, the built-in script, is always there.
    #[serde(skip_serializing)]
    pub models: BTreeMap<String, ModelConfig>,
    /// `[voices.NAME]`: voices by the name that calls choose them by. `kal`, the built-in voice, is always there.
    #[serde(skip_serializing)]
    pub voices: BTreeMap<String, VoiceConfig>,
    /// `[voice_providers]`: whose voices calls may name by definition, and the keys for them.
    #[serde(skip_serializing)]
    pub voice_providers: VoiceProvidersConfig,
    /// `[transcription]`: what makes transcripts of the user's speech.
    #[serde(skip_serializing)]
    pub transcription: TranscriptionConfig,
    /// `[voice_activity]`: what notices speech.
    #[serde(skip_serializing)]
    pub voice_activity: VoiceActivityConfig,
    /// `[turn_detection]`: what tells the end of a turn from a pause.
    #[serde(skip_serializing)]
    pub turn_detection: TurnDetectionConfig,
    /// How it logs.
    pub log: Log,
    /// Where the spans of calls are sent.
    pub telemetry: Telemetry,
    /// How long is known what receivers were told.
    pub webhooks: Webhooks,
}

/// A configuration, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Oddities that do not keep the server from starting.
    pub warnings: Vec<Problem>,
    sources: BTreeMap<String, Source>,
    /// The sections of the backends as they were set; what they leave out is the backends' own business.
    backends: toml::Table,
}

/// The sections that the backends define.
const BACKEND_SECTIONS: [&str; 6] =
    ["models", "voices", "voice_providers", "transcription", "voice_activity", "turn_detection"];

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        f.write_str("`antiphon config init` writes a file that explains every field")
    }
}

impl Config {
    /// Reads the configuration from `file`, if one is given, and from those of the environment's `variables` that are ours.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                ConfigErrors(vec![Problem {
                    source: Source::Default,
                    field: String::new(),
                    message: format!(
                        "the configuration file {} cannot be read: {error}; name another, or write one with `antiphon config init`",
                        path.display()
                    ),
                }])
            })?,
        };
        Self::parse(file.unwrap_or(Path::new("")), &text, variables)
    }

    /// Reads the configuration from the text of the file `path` and from `variables`.
    pub fn parse(
        path: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let mut variables: Vec<(String, String)> =
            variables.into_iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        variables.sort();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let mut document = Document::parse(path, text, &mut problems);
        for (name, value) in &variables {
            match meaning(name) {
                Variable::Field(field) => document.set(&field, name, value),
                Variable::Other => {}
                Variable::Unknown => warnings.push(Problem {
                    source: Source::Environment(name.clone()),
                    field: String::new(),
                    message: "no such setting; write ANTIPHON_SECTION__FIELD with two underscores between the names".into(),
                }),
            }
        }
        let sources = document.sources();
        let mut backends = document.table();
        backends.retain(|section, _| BACKEND_SECTIONS.contains(&section));
        let config: Self = document.read(&mut problems, &mut warnings);
        let unreadable = problems.len();
        for (field, message) in config.validate() {
            // Where elements of an array could not be read, the others have other numbers now than in the file.
            let renumbered = field.split_once('[').is_some_and(|(array, _)| {
                problems[..unreadable]
                    .iter()
                    .any(|problem| problem.field.split_once('[').is_some_and(|(other, _)| other == array))
            });
            if !renumbered {
                problems.push(Problem { source: source_of(&sources, &field), field, message });
            }
        }
        if problems.is_empty() {
            Ok(Loaded { config, warnings, sources, backends })
        } else {
            Err(ConfigErrors(problems))
        }
    }

    /// Makes the backends that the configuration names, and reads their keys and scripts. Inside a tokio runtime, the offline
    /// recognizer begins to load. An error says which field is at fault.
    pub fn build_backends(&self) -> Result<Backends, BackendError> {
        Backends::build(&self.backends()).map_err(in_its_section)
    }

    /// The same in the place of those that `before` made; see [`Backends::rebuild`].
    pub fn rebuild_backends(&self, old: &Backends, before: &Self) -> Result<Backends, BackendError> {
        old.rebuild(&self.backends(), &before.backends()).map_err(in_its_section)
    }

    fn backends(&self) -> BackendsConfig {
        BackendsConfig {
            default_model: self.calls.default_model.clone(),
            default_voice: self.calls.default_voice.clone(),
            models: self.models.clone(),
            voices: self.voices.clone(),
            voice_providers: self.voice_providers.clone(),
            transcription: self.transcription.clone(),
            voice_activity: self.voice_activity,
            turn_detection: self.turn_detection.clone(),
        }
    }

    /// Makes what makes vectors of texts, if the configuration names one, and reads its key.
    pub fn build_embeddings(&self) -> Result<Option<OpenAiEmbeddings>, BackendError> {
        let embeddings = self.retrieval.embeddings.as_ref();
        embeddings.map(|config| registry::embeddings("retrieval.embeddings", config)).transpose()
    }

    /// Makes only what listens to the user's audio, for recordings of calls.
    pub fn build_listeners(&self) -> Result<Listeners, BackendError> {
        Listeners::build(self.voice_activity, &self.turn_detection)
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut checks = Checks::default();
        self.server.validate(&mut checks);
        self.auth.validate(&mut checks);
        self.storage.validate(&mut checks);
        self.recordings.validate(&mut checks);
        self.objects.validate(&mut checks);
        self.calls.validate(&mut checks);
        self.cluster.validate(&mut checks);
        self.connections.validate(&mut checks);
        self.limits.validate(&mut checks);
        self.journal.validate(&mut checks);
        self.outbound.validate(&mut checks);
        self.retrieval.validate(&mut checks);
        self.turn_taking.validate(&mut checks);
        self.log.validate(&mut checks);
        self.telemetry.validate(&mut checks);
        self.webhooks.validate(&mut checks);
        self.summaries.validate(&self.models, &mut checks);
        checks.found
    }
}

impl Loaded {
    /// The configuration in force, a line a value, each with where it came from and no secret. It is itself valid TOML. Of the
    /// backends it shows what was set; they name their keys and never hold one.
    pub fn render(&self) -> String {
        let table = toml::Table::try_from(&self.config).expect("every section serializes to TOML");
        let mut lines = Vec::new();
        render_table(&table, "", "", &self.sources, &mut lines);
        render_table(&self.backends, "", "", &self.sources, &mut lines);
        lines.concat()
    }

    /// Where the value of `field` (as `section.field`) came from.
    pub fn source(&self, field: &str) -> Source {
        source_of(&self.sources, field)
    }
}

/// An error of the backends, whose field is one of `[calls]` here.
fn in_its_section(error: BackendError) -> BackendError {
    match error.field.as_str() {
        "default_model" | "default_voice" => {
            BackendError { field: format!("calls.{}", error.field), ..error }
        }
        _ => error,
    }
}

enum Variable {
    Field(Vec<String>),
    Other,
    Unknown,
}

/// What a variable of ours sets. `ANTIPHON_LOG` is short for `ANTIPHON_LOG__LEVEL`.
fn meaning(name: &str) -> Variable {
    if OTHER_VARIABLES.contains(&name) {
        return Variable::Other;
    }
    if name == "ANTIPHON_LOG" {
        return Variable::Field(vec!["log".to_owned(), "level".to_owned()]);
    }
    let path: Vec<String> = name[VARIABLE_PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    if path.len() < 2 || path.iter().any(String::is_empty) {
        Variable::Unknown
    } else {
        Variable::Field(path)
    }
}

/// The source of a field: its own, or that of the nearest thing around it that was set as a whole.
fn source_of(sources: &BTreeMap<String, Source>, field: &str) -> Source {
    let mut path = field;
    loop {
        if let Some(source) = sources.get(path) {
            return source.clone();
        }
        // A table that was set does not say where a field came from that it lacks; an array does.
        match path.rfind('[') {
            Some(end) => path = &path[..end],
            None => return Source::Default,
        }
    }
}

fn render_table(
    table: &toml::Table,
    written: &str,
    path: &str,
    sources: &BTreeMap<String, Source>,
    lines: &mut Vec<String>,
) {
    for (key, value) in table {
        let bare =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let quoted = if bare { key.clone() } else { toml::Value::String(key.clone()).to_string() };
        let (written, path) = match path {
            "" => (quoted, key.clone()),
            _ => (format!("{written}.{quoted}"), format!("{path}.{key}")),
        };
        if let toml::Value::Table(table) = value
            && !table.is_empty()
        {
            render_table(table, &written, &path, sources, lines);
        } else {
            lines.push(format!("{written} = {value}  # {}\n", source_of(sources, &path)));
        }
    }
}

/// Where `antiphon serve` looks for a file when it is told of none.
pub fn default_path() -> PathBuf {
    PathBuf::from("antiphon.toml")
}
