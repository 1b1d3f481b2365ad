//! A user at a microphone, who may also type, and a speaker. The one file that knows the sound system.
//!
//! The sound system calls from threads of its own; samples cross over bounded channels, and whatever does not fit is dropped, since
//! late sound is of no use.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use antiphon_audio::{Resampler, SampleRate};
use anyhow::{Context as _, bail};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{FromSample, Sample as _, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig};

use super::typed::Lines;
use crate::conversation::{Deed, Loudspeaker, Scene, User};

/// Pieces of sound under way between a device and the conversation. Devices take 5 to 20 ms at a time.
const PIECES: usize = 16;
/// Frames of what the microphone heard that may wait; more of it is a delay that would never go away.
const MOST_FRAMES: usize = 10;

/// Opens the default devices for a line at `rate`.
pub(crate) fn open(rate: SampleRate) -> anyhow::Result<(Microphone, Speaker)> {
    let host = cpal::default_host();
    let microphone =
        host.default_input_device().context("there is no microphone; use --input FILE or --text")?;
    let speaker = host.default_output_device().context("there is no speaker; use --input FILE or --text")?;
    Ok((Microphone::open(&microphone, rate)?, Speaker::open(&speaker, rate)?))
}

/// The device's own rate, if the line can be brought to it, else the usual one.
fn device_rate(config: &SupportedStreamConfig) -> SampleRate {
    SampleRate::new(config.sample_rate()).unwrap_or(SampleRate::WEBSOCKET_DEFAULT)
}

fn stream_config(config: &SupportedStreamConfig, rate: SampleRate) -> StreamConfig {
    StreamConfig { sample_rate: rate.hz(), ..config.config() }
}

/// Errors of a device come while nobody waits for them. The log is where they are of use.
#[expect(clippy::needless_pass_by_value, reason = "the sound system hands it over")]
fn report(error: cpal::Error) {
    tracing::warn!(%error, "the sound device has a problem");
}

/// The microphone, and the keyboard beside it.
pub(crate) struct Microphone {
    /// Runs as long as it is held.
    _stream: Stream,
    pieces: Receiver<Vec<i16>>,
    resampler: Resampler,
    heard: VecDeque<i16>,
    lines: Option<Lines>,
}

impl Microphone {
    #[expect(clippy::wildcard_enum_match_arm, reason = "formats that no common device has as its default")]
    fn open(device: &cpal::Device, rate: SampleRate) -> anyhow::Result<Self> {
        let supported = device.default_input_config().context("the microphone cannot be used")?;
        let from = device_rate(&supported);
        let config = stream_config(&supported, from);
        let (sender, pieces) = sync_channel(PIECES);
        let stream = match supported.sample_format() {
            SampleFormat::F32 => record::<f32>(device, config, sender),
            SampleFormat::I16 => record::<i16>(device, config, sender),
            SampleFormat::I32 => record::<i32>(device, config, sender),
            SampleFormat::U16 => record::<u16>(device, config, sender),
            other => bail!("the microphone's format {other} is not supported; choose another as the default"),
        }
        .context("the microphone cannot be used")?;
        stream.play().context("the microphone does not start")?;
        Ok(Self {
            _stream: stream,
            pieces,
            resampler: Resampler::new(from, rate),
            heard: VecDeque::new(),
            lines: io::stdin().is_terminal().then(Lines::of_stdin),
        })
    }
}

fn record<T>(
    device: &cpal::Device,
    config: StreamConfig,
    sender: SyncSender<Vec<i16>>,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    i16: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let take = move |data: &[T], _: &cpal::InputCallbackInfo| {
        let mean = |instant: &[T]| {
            let sum: i32 = instant.iter().map(|sample| i32::from(i16::from_sample(*sample))).sum();
            (sum / instant.len() as i32) as i16
        };
        let _ = sender.try_send(data.chunks_exact(channels).map(mean).collect());
    };
    device.build_input_stream(config, take, report, None)
}

impl User for Microphone {
    fn act(&mut self, frame: &mut [i16], _: &Scene<'_>) -> Deed {
        let mut heard = Vec::new();
        for piece in self.pieces.try_iter() {
            self.resampler.process(&piece, &mut heard);
        }
        self.heard.extend(heard);
        let late = self.heard.len().saturating_sub(MOST_FRAMES * frame.len());
        self.heard.drain(..late);
        let count = self.heard.len().min(frame.len());
        for (place, sample) in frame.iter_mut().zip(self.heard.drain(..count)) {
            *place = sample;
        }
        match self.lines.as_ref().map(Lines::next) {
            Some(Some(Some(line))) => Deed::Write(line),
            // The end of what is typed is a wish to end.
            Some(None) => Deed::HangUp,
            Some(Some(None)) | None => Deed::Nothing,
        }
    }
}

/// The speaker.
pub(crate) struct Speaker {
    /// Runs as long as it is held.
    _stream: Stream,
    pieces: SyncSender<Vec<i16>>,
    resampler: Resampler,
}

impl Speaker {
    #[expect(clippy::wildcard_enum_match_arm, reason = "formats that no common device has as its default")]
    fn open(device: &cpal::Device, rate: SampleRate) -> anyhow::Result<Self> {
        let supported = device.default_output_config().context("the speaker cannot be used")?;
        let to = device_rate(&supported);
        let config = stream_config(&supported, to);
        let (pieces, receiver) = sync_channel(PIECES);
        let stream = match supported.sample_format() {
            SampleFormat::F32 => sound::<f32>(device, config, receiver),
            SampleFormat::I16 => sound::<i16>(device, config, receiver),
            SampleFormat::I32 => sound::<i32>(device, config, receiver),
            SampleFormat::U16 => sound::<u16>(device, config, receiver),
            other => bail!("the speaker's format {other} is not supported; choose another as the default"),
        }
        .context("the speaker cannot be used")?;
        stream.play().context("the speaker does not start")?;
        Ok(Self { _stream: stream, pieces, resampler: Resampler::new(rate, to) })
    }
}

fn sound<T>(
    device: &cpal::Device,
    config: StreamConfig,
    pieces: Receiver<Vec<i16>>,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample + FromSample<i16>,
{
    let channels = usize::from(config.channels.max(1));
    let mut waiting = VecDeque::new();
    let give = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
        for instant in data.chunks_mut(channels) {
            if waiting.is_empty() {
                waiting.extend(pieces.try_iter().flatten());
            }
            instant.fill(T::from_sample(waiting.pop_front().unwrap_or(0)));
        }
    };
    device.build_output_stream(config, give, report, None)
}

impl Loudspeaker for Speaker {
    fn play(&mut self, frame: &[i16]) {
        let mut piece = Vec::with_capacity(frame.len());
        self.resampler.process(frame, &mut piece);
        let _ = self.pieces.try_send(piece);
    }
}
