//! From the command line to a session and back to an exit code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_client::rest::BuildError;
use antiphon_scenario::{
    Cause, Exchange, File, Incoming, Limits, MakeClient, Outcome, Setup, run as run_session,
};
use antiphon_server::config::Outbound as OutboundSettings;
use antiphon_server::outbound::Outbound;

use super::log::Log;
use super::phones::Lines;
use super::web::Internet;
use super::{Args, Surroundings};
use crate::exit::{EXCEEDED, Ended, SCRIPT_FAILED, misuse};
use crate::rest::access::Access;
use crate::stop::Stop;

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let setup = setup(&args)?;
    let phones = Lines::new(&args.call)?;
    let settings =
        OutboundSettings { allow_private: args.surroundings.allow_private, ..OutboundSettings::default() };
    let web = Arc::new(Internet(Outbound::new(&settings)));
    let mut exchange = Exchange::new(Box::new(phones), web, make_client(&args.access, args.own_key)?);
    if setup.incoming.is_some() {
        exchange.ring().map_err(misuse)?;
    }
    let mut stop = Stop::on_signals()?;
    let mut log = Log::default();
    let ended =
        run_session(setup, &mut exchange, &mut |at, voice, text| log.line(at, voice, text), stop.wanted())
            .await;
    for remark in exchange.finish().await {
        log.remark(&remark);
    }
    log.finish()?;
    judge(&ended?)
}

fn judge(outcome: &Outcome) -> anyhow::Result<()> {
    let ended = |code, text: String| Err(Ended { code, text }.into());
    match outcome.cause {
        Cause::CallbackTooLong | Cause::OutOfMemory | Cause::SessionTooLong => {
            ended(EXCEEDED, format!("the scenario was ended: {}", outcome.cause))
        }
        Cause::ScriptError => {
            ended(SCRIPT_FAILED, "the scenario was ended by an error that it did not catch".to_owned())
        }
        Cause::NoCalls | Cause::Stopped | Cause::Terminated => match outcome.errors {
            0 => Ok(()),
            1 => ended(SCRIPT_FAILED, "the scenario had an error that it did not catch".to_owned()),
            errors => ended(SCRIPT_FAILED, format!("the scenario had {errors} errors that it did not catch")),
        },
    }
}

fn setup(args: &Args) -> anyhow::Result<Setup> {
    let Surroundings { custom_data, secrets, time_limit, memory_limit, .. } = &args.surroundings;
    let limits = Limits {
        session: Duration::from_secs(*time_limit),
        memory: usize::try_from(*memory_limit)? << 20,
        ..Limits::default()
    };
    let files = args.files.iter().map(|path| file(path)).collect::<anyhow::Result<_>>()?;
    let call = &args.call;
    let incoming = Incoming {
        number: call.number.clone(),
        callerid: call.callerid.clone(),
        display_name: call.display_name.clone(),
        headers: call.headers.iter().map(|text| pair("--header", text)).collect::<anyhow::Result<_>>()?,
    };
    Ok(Setup {
        files,
        incoming: (!call.start).then_some(incoming),
        custom_data: custom_data.clone(),
        secrets: secrets.iter().map(|text| secret(text)).collect::<anyhow::Result<BTreeMap<_, _>>>()?,
        limits,
    })
}

fn file(path: &Path) -> anyhow::Result<File> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let source = std::fs::read_to_string(path)
        .map_err(|error| misuse(format!("cannot read the scenario {}: {error}", path.display())))?;
    Ok(File { name, source })
}

fn pair(option: &str, text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or_else(|| misuse(format!("{option} needs NAME=VALUE, not {text:?}")))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// A value from the environment, so that it is on no command line.
fn secret(text: &str) -> anyhow::Result<(String, String)> {
    // What is written here in error may be the secret itself.
    let (name, variable) = text
        .split_once('=')
        .filter(|(name, variable)| !name.is_empty() && !variable.is_empty())
        .ok_or_else(|| misuse("--secret needs NAME=VARIABLE, the name for the scenario and the environment variable that has the value"))?;
    let value = std::env::var(variable).map_err(|_| {
        misuse(format!("the environment variable for --secret {name} is not set, or is no text; set it"))
    })?;
    Ok((name.to_owned(), value))
}

/// Makes clients of the server, with the scenario's key or with this command's own.
fn make_client(access: &Access, own_key: bool) -> anyhow::Result<Arc<MakeClient>> {
    let builder = access.builder()?;
    // That this side has no key is told when it is needed; all else that is wrong, before anything runs.
    match builder.clone().build() {
        Ok(_) => {}
        Err(BuildError::NoKey { .. } | BuildError::NoHostedKey) if !own_key => {}
        Err(error) => return Err(misuse(error.to_string())),
    }
    Ok(Arc::new(move |key: Option<&str>| match key.filter(|_| !own_key) {
        Some(key) => builder.clone().key(key).build(),
        None => builder.clone().build(),
    }))
}
