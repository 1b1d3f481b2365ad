//! What a request asks for of a data connection, checked before the call exists.

use antiphon_api::Secret;
use antiphon_api::rest::calls::{
    ChannelMode, DataConnectionAudioConfig, EnabledDataMessages, StartCallRequest,
};
use antiphon_audio::{Channels, SampleRate};
use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;

use super::super::setup::SetupError;
use crate::tools::{CallTool, header_name};

/// Whom to dial with which headers, and what to send there.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// What the handshake is signed with.
    pub(super) secrets: Vec<Secret>,
    pub(super) audio: Option<Audio>,
    pub(super) messages: EnabledDataMessages,
}

/// The sound that is sent there (protocol.md 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Audio {
    pub(super) rate: SampleRate,
    /// Both voices in one channel, or the user on the left and the agent on the right.
    pub(super) channels: Channels,
}

/// Reads what a request asks for, and whether its tools have what they need.
pub(crate) fn plan(request: &StartCallRequest, tools: &[CallTool]) -> Result<Option<Plan>, SetupError> {
    let Some(wanted) = &request.data_connection else {
        return match tools.iter().position(CallTool::needs_data_connection) {
            None => Ok(None),
            Some(index) => Err(SetupError::new(
                format!("selectedTools[{index}]"),
                "runs on the call's data connection, and the call has none; add a \"dataConnection\"",
            )),
        };
    };
    Ok(Some(Plan {
        url: url(&wanted.websocket_url)?,
        headers: headers(wanted.headers.iter())?,
        secrets: request.shared_secrets.clone().unwrap_or_default(),
        audio: wanted.audio_config.as_ref().map(audio).transpose()?,
        messages: wanted.data_messages.clone().unwrap_or_default(),
    }))
}

fn url(text: &str) -> Result<Url, SetupError> {
    // A URL may hold a credential, so it is not repeated.
    let refused = |why: &str| SetupError::new("dataConnection.websocketUrl", why);
    let mut url = Url::parse(text).map_err(|_| refused("is no URL that can be dialled"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user or a password, which would come back; use \"headers\""));
    }
    url.set_fragment(None);
    Ok(url)
}

fn headers<'a>(wanted: impl Iterator<Item = (&'a String, &'a Secret)>) -> Result<HeaderMap, SetupError> {
    const HANDSHAKE: [&str; 4] =
        ["sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"];
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let refused = |why: &str| SetupError::new(format!("dataConnection.headers.{name}"), why);
        let header = header_name(name).map_err(|why| refused(&why))?;
        if HANDSHAKE.contains(&header.as_str()) {
            return Err(refused("is the handshake's own; leave it out"));
        }
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| refused("has characters that a header cannot have"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

fn audio(wanted: &DataConnectionAudioConfig) -> Result<Audio, SetupError> {
    let rate = match wanted.sample_rate {
        None => SampleRate::EAR,
        Some(rate) => SampleRate::new(rate.hz())
            .map_err(|error| SetupError::new("dataConnection.audioConfig.sampleRate", error.to_string()))?,
    };
    let channels = match wanted.channel_mode {
        None | Some(ChannelMode::Separated) => Channels::Stereo,
        Some(ChannelMode::Mixed) => Channels::Mono,
    };
    Ok(Audio { rate, channels })
}
