//! Ordinary calls while others attack the server: the same calls without and with each attack, one after another.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::process::{Child, Command};

use super::attack::{Attack, Outcome};
use super::figures::Step;
use super::server::{Meter, Server};

/// How long an attack may take to end after its time.
const ENDING: Duration = Duration::from_secs(30);

/// What was found under one attack, or under none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Siege {
    pub(super) attack: &'static str,
    pub(super) attackers: u32,
    pub(super) step: Step,
    /// Of the server's process, in the middle of it.
    pub(super) memory_kib: Option<u64>,
    pub(super) descriptors: Option<usize>,
    pub(super) cpu_percent: Option<f64>,
    pub(super) outcome: Option<Outcome>,
}

/// What a process holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) memory_kib: Option<u64>,
    pub(super) descriptors: Option<usize>,
}

impl Held {
    pub(super) fn by(meter: Option<Meter>) -> anyhow::Result<Self> {
        let memory_kib = meter.map(Meter::memory_kib).transpose()?;
        let descriptors = meter.map(Meter::descriptors).transpose()?;
        Ok(Self { memory_kib, descriptors })
    }
}

/// Attackers at work.
pub(super) struct Attackers(Child);

impl Attackers {
    /// Begins to attack, for so long.
    pub(super) fn begin(
        attack: Attack,
        url: &str,
        own: Option<&Server>,
        seconds: u64,
    ) -> anyhow::Result<Self> {
        use clap::ValueEnum as _;
        let binary = std::env::current_exe().context("cannot find this program's file")?;
        let kind = attack.to_possible_value().context("every attack has a name")?;
        let mut command = Command::new(binary);
        command
            .args([
                "bench-attack",
                "--attack",
                kind.get_name(),
                "--url",
                url,
                "--seconds",
                &seconds.to_string(),
            ])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(server) = own {
            command.env("ANTIPHON_API_KEY", &server.key);
        }
        Ok(Self(command.spawn().context("cannot start the attackers")?))
    }

    /// What became of them.
    pub(super) async fn end(self) -> anyhow::Result<Outcome> {
        let output = tokio::time::timeout(ENDING, self.0.wait_with_output())
            .await
            .context("the attackers do not end")??;
        anyhow::ensure!(output.status.success(), "the attackers failed; what they said is above");
        serde_json::from_slice(&output.stdout).context("the attackers do not say what became of them")
    }
}
