//! Microphone and speaker: the one file that knows the sound system.
//!
//! The sound system calls from threads of its own; samples cross over bounded channels, and whatever does not fit is dropped, since
//! late sound is of no use.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use antiphon_audio::{Resampler, SampleRate};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{FromSample, Sample as _, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig};

/// Pieces of sound under way between a device and the program. Devices take 5 to 20 ms at a time.
const PIECES: usize = 16;
/// Frames of what the microphone heard that may wait; more of it is a delay that would never go away.
const MOST_FRAMES: usize = 10;

/// Why a device cannot be used. Whoever owns the computer acts.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Its samples are of no kind that is read.
    #[error("the {device}'s format {format} is not supported; choose another device as the default")]
    Format {
        /// Microphone or speaker.
        device: &'static str,
        /// The format.
        format: String,
    },
    /// There is none.
    #[error("there is no {0}; connect one, or choose one as the default")]
    Missing(&'static str),
    /// The sound system does not let it be used.
    #[error("the {device} cannot be used: {error}; does another program hold it?")]
    Unusable {
        /// Microphone or speaker.
        device: &'static str,
        /// Why.
        #[source]
        error: cpal::Error,
    },
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

const MICROPHONE: &str = "microphone";
const SPEAKER: &str = "speaker";

/// The default microphone.
pub struct Microphone {
    /// Runs as long as it is held.
    _stream: Stream,
    pieces: Receiver<Vec<i16>>,
    resampler: Resampler,
    heard: VecDeque<i16>,
}

impl Microphone {
    /// Begins to listen, for a line at `rate`.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be used.
    #[expect(clippy::wildcard_enum_match_arm, reason = "formats that no common device has as its default")]
    pub fn open(rate: SampleRate) -> Result<Self, DeviceError> {
        let unusable = |error| DeviceError::Unusable { device: MICROPHONE, error };
        let device = cpal::default_host().default_input_device().ok_or(DeviceError::Missing(MICROPHONE))?;
        let supported = device.default_input_config().map_err(unusable)?;
        let from = device_rate(&supported);
        let config = stream_config(&supported, from);
        let (sender, pieces) = sync_channel(PIECES);
        let stream = match supported.sample_format() {
            SampleFormat::F32 => record::<f32>(&device, config, sender),
            SampleFormat::I16 => record::<i16>(&device, config, sender),
            SampleFormat::I32 => record::<i32>(&device, config, sender),
            SampleFormat::U16 => record::<u16>(&device, config, sender),
            other => return Err(DeviceError::Format { device: MICROPHONE, format: other.to_string() }),
        }
        .map_err(unusable)?;
        stream.play().map_err(unusable)?;
        Ok(Self { _stream: stream, pieces, resampler: Resampler::new(from, rate), heard: VecDeque::new() })
    }

    /// Fills a frame with what was heard next, and silence where there is nothing yet. Never waits; when it is called too seldom,
    /// what is oldest is lost.
    pub fn read(&mut self, frame: &mut [i16]) {
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
        frame[count..].fill(0);
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

/// The default speaker.
pub struct Speaker {
    /// Runs as long as it is held.
    _stream: Stream,
    pieces: SyncSender<Vec<i16>>,
    resampler: Resampler,
}

impl Speaker {
    /// Begins to sound, for a line at `rate`.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be used.
    #[expect(clippy::wildcard_enum_match_arm, reason = "formats that no common device has as its default")]
    pub fn open(rate: SampleRate) -> Result<Self, DeviceError> {
        let unusable = |error| DeviceError::Unusable { device: SPEAKER, error };
        let device = cpal::default_host().default_output_device().ok_or(DeviceError::Missing(SPEAKER))?;
        let supported = device.default_output_config().map_err(unusable)?;
        let to = device_rate(&supported);
        let config = stream_config(&supported, to);
        let (pieces, receiver) = sync_channel(PIECES);
        let stream = match supported.sample_format() {
            SampleFormat::F32 => sound::<f32>(&device, config, receiver),
            SampleFormat::I16 => sound::<i16>(&device, config, receiver),
            SampleFormat::I32 => sound::<i32>(&device, config, receiver),
            SampleFormat::U16 => sound::<u16>(&device, config, receiver),
            other => return Err(DeviceError::Format { device: SPEAKER, format: other.to_string() }),
        }
        .map_err(unusable)?;
        stream.play().map_err(unusable)?;
        Ok(Self { _stream: stream, pieces, resampler: Resampler::new(rate, to) })
    }

    /// Plays a frame, silence included, one second a second. Never waits; what does not fit is lost.
    pub fn play(&mut self, frame: &[i16]) {
        let mut piece = Vec::with_capacity(frame.len());
        self.resampler.process(frame, &mut piece);
        let _ = self.pieces.try_send(piece);
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
