//! What two configurations differ in, field by field, and which of that a running server can take up. Names fields and shows no value.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::Config;

/// The sections and fields that a running server takes up; everything else waits for a restart.
const TAKEN_UP: [&str; 15] = [
    "auth",
    "calls",
    "limits",
    "log.level",
    "models",
    "server.drain_deadline",
    "server.tls",
    "summaries",
    "transcription",
    "turn_detection",
    "turn_taking",
    "voice_activity",
    "voice_providers",
    "voices",
    "webhooks",
];

/// What another configuration says differently. Fields are named as `section.field`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What a running server takes up.
    pub taken_up: Vec<String>,
    /// What a server takes up when it starts.
    pub needs_restart: Vec<String>,
}

impl Config {
    /// What `new` says differently. The contents of files that both name alike are not looked into.
    #[must_use]
    pub fn difference(&self, new: &Self) -> Difference {
        let (before, after) = (fields(self), fields(new));
        let mut differing: Vec<String> = before
            .keys()
            .chain(after.keys())
            .filter(|&field| before.get(field) != after.get(field))
            .cloned()
            .collect();
        // Secrets are written alike, whatever they are.
        if self.auth.api_keys != new.auth.api_keys {
            differing.push("auth.api_keys".to_owned());
        }
        if self.storage.url != new.storage.url {
            differing.push("storage.url".to_owned());
        }
        if self.telemetry.otlp_headers != new.telemetry.otlp_headers {
            differing.push("telemetry.otlp_headers".to_owned());
        }
        differing.sort();
        differing.dedup();
        // Whether the server speaks TLS at all is settled when it begins to listen.
        let tls_stays = self.server.tls.is_some() == new.server.tls.is_some();
        let (taken_up, needs_restart) = differing
            .into_iter()
            .partition(|field| is_taken_up(field) && (tls_stays || !field.starts_with("server.tls")));
        Difference { taken_up, needs_restart }
    }

    /// What a running server goes by once it has taken up what it can of `new`.
    #[must_use]
    pub(crate) fn taking_up(self, new: Self) -> Self {
        let Self { mut server, mut log, .. } = self.clone();
        server.drain_deadline = new.server.drain_deadline;
        if server.tls.is_some() && new.server.tls.is_some() {
            server.tls.clone_from(&new.server.tls);
        }
        if server.tls.is_some() && new.server.tls.is_some() {
            server.tls.clone_from(&new.server.tls);
        }
        log.level = new.log.level;
        Self {
            auth: new.auth,
            calls: new.calls,
            limits: new.limits,
            log,
            models: new.models,
            server,
            summaries: new.summaries,
            transcription: new.transcription,
            turn_detection: new.turn_detection,
            turn_taking: new.turn_taking,
            voice_activity: new.voice_activity,
            voice_providers: new.voice_providers,
            voices: new.voices,
            webhooks: new.webhooks,
            ..self
        }
    }
}

fn is_taken_up(field: &str) -> bool {
    TAKEN_UP
        .iter()
        .any(|name| field.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Every field that is set, with its value in a form that differs when it does.
fn fields(config: &Config) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let table = toml::Table::try_from(config).expect("every section serializes to TOML");
    flatten("", table, &mut fields);
    named("models", &config.models, &mut fields);
    named("voices", &config.voices, &mut fields);
    let sections: [(&str, &dyn Debug); 4] = [
        ("voice_providers", &config.voice_providers),
        ("transcription", &config.transcription),
        ("voice_activity", &config.voice_activity),
        ("turn_detection", &config.turn_detection),
    ];
    fields.extend(sections.map(|(section, value)| (section.to_owned(), format!("{value:?}"))));
    fields
}

fn flatten(path: &str, table: toml::Table, fields: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        if let toml::Value::Table(table) = value {
            flatten(&path, table, fields);
        } else {
            fields.insert(path, value.to_string());
        }
    }
}

fn named(section: &str, values: &BTreeMap<String, impl Debug>, fields: &mut BTreeMap<String, String>) {
    fields.extend(values.iter().map(|(name, value)| (format!("{section}.{name}"), format!("{value:?}"))));
}
