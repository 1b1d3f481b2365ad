//! Where units are joined: what one gives goes, converted, into the buffers of those it is sent to, and each takes from its own at
//! its own pace.
//!
//! Owns routes, conversion and buffers. Knows no clock, no socket and no call: giving and taking are the clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_audio::{Resampler, SampleRate};

use super::encoding::Encoding;
use crate::playback::Playback;

/// Units that one may be sent to at a time.
const MOST_TARGETS: usize = 64;
/// How far a live stream may be ahead of who takes it before it is cut back: beyond, audio would only grow old (bridges.md 1.3).
const LIVE_MOST: Duration = Duration::from_millis(200);
/// What it is cut back to.
const LIVE_KEPT: Duration = Duration::from_millis(60);
/// What of a live stream is gathered before it sounds: two clocks of 20 ms are never quite in step.
const LIVE_LEAD: Duration = Duration::from_millis(20);

/// The place where a unit gives and takes audio. Clones are the same place.
///
/// Whoever writes a unit of its own holds one, calls [`give`](Self::give) with what is heard from the unit and
/// [`take`](Self::take) for what it shall hear.
///
/// ```
/// use antiphon_audio::SampleRate;
/// use antiphon_client::bridge::{MediaUnit as _, Port, SendMedia};
///
/// let (phone, agent) = (Port::live(SampleRate::PHONE), Port::ahead(SampleRate::PHONE));
/// agent.send_media_to(&phone, SendMedia::default())?;
/// agent.give(&[5; 160]);
/// let mut frame = [0; 160];
/// assert_eq!((phone.take(&mut frame), frame), (160, [5; 160]));
/// # Ok::<(), antiphon_client::bridge::MediaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Port(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gives: SampleRate,
    takes: SampleRate,
    pace: Pace,
    routes: Mutex<Vec<Route>>,
    inlet: Mutex<Inlet>,
}

/// When the audio of a unit comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Before it is to be heard, possibly minutes: all of it is kept until it is taken or cleared.
    Ahead,
    /// As it sounds: what is not taken in time is dropped.
    Live,
}

/// What goes with a stream that is sent to a unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SendMedia {
    /// The stream's name, by which [`Bridge::clear_media_buffer`](super::Bridge::clear_media_buffer) knows it.
    pub tag: String,
    /// How the stream is coded; at the target's own rate and not coded at all if it is not said.
    pub encoding: Option<Encoding>,
    /// What else the target is told.
    pub custom_parameters: Option<JsonObject>,
}

impl SendMedia {
    /// A stream with this name.
    #[must_use]
    pub fn tagged(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }

    /// The same, coded this way.
    #[must_use]
    pub fn encoded(self, encoding: Encoding) -> Self {
        Self { encoding: Some(encoding), ..self }
    }
}

/// Why media cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The target is the source.
    #[error("a unit cannot be sent to itself; name another target")]
    ToItself,
    /// The source has too many targets.
    #[error("a unit can be sent to {MOST_TARGETS} others at a time; stop one of them first")]
    TooMany,
}

/// What a unit has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Audio that was taken.
    pub played: Duration,
    /// Audio that waits to be taken.
    pub unplayed: Duration,
    /// Audio that was cleared before it was taken.
    pub cleared: Duration,
    /// Audio that was dropped because it came faster than it was taken.
    pub dropped: Duration,
    /// How often audio came too late in the middle of an utterance.
    pub underruns: u64,
}

impl Port {
    /// A place for a unit whose audio comes as it sounds, as from a microphone or a phone, and that takes audio at the same rate.
    #[must_use]
    pub fn live(rate: SampleRate) -> Self {
        Self::new(rate, rate, Pace::Live)
    }

    /// A place for a unit whose audio comes before it is to be heard, as an agent's does.
    #[must_use]
    pub fn ahead(rate: SampleRate) -> Self {
        Self::new(rate, rate, Pace::Ahead)
    }

    /// The place of an agent that speaks at one rate and listens at another.
    pub(super) fn of_agent(speaks: SampleRate, listens: SampleRate) -> Self {
        Self::new(speaks, listens, Pace::Ahead)
    }

    fn new(gives: SampleRate, takes: SampleRate, pace: Pace) -> Self {
        let inlet = Inlet {
            playback: Playback::new(takes, Duration::ZERO),
            stream: None,
            generation: 0,
            pace: Pace::Live,
            most: takes.samples_in(LIVE_MOST) as usize,
            kept: takes.samples_in(LIVE_KEPT) as usize,
        };
        Self(Arc::new(Shared { gives, takes, pace, routes: Mutex::default(), inlet: Mutex::new(inlet) }))
    }

    /// The rate of what the unit gives.
    #[must_use]
    pub fn gives(&self) -> SampleRate {
        self.0.gives
    }

    /// The rate of what it takes.
    #[must_use]
    pub fn takes(&self) -> SampleRate {
        self.0.takes
    }

    /// Gives what is heard from the unit to all that it is sent to. Never waits.
    pub fn give(&self, samples: &[i16]) {
        self.routes().retain_mut(|route| route.carry(samples));
    }

    /// What was given last was the end of an utterance: silence after it is nothing missing.
    pub fn utterance_ended(&self) {
        self.routes().retain_mut(Route::utterance_ended);
    }

    /// Fills `frame` with what the unit hears next, and silence where there is nothing. Gives how many samples are audio.
    pub fn take(&self, frame: &mut [i16]) -> usize {
        self.inlet().playback.play(frame)
    }

    /// Drops what was given and not yet taken, of the streams with this tag, or of all. Gives the longest that was dropped.
    pub fn clear(&self, tag: Option<&str>) -> Duration {
        let mut longest = Duration::ZERO;
        self.routes().retain_mut(|route| match tag.is_none_or(|tag| tag == route.tag) {
            true => route.clear().map(|dropped| longest = longest.max(dropped)).is_some(),
            false => true,
        });
        longest
    }

    /// How many units this one is sent to.
    #[must_use]
    pub fn targets(&self) -> usize {
        let mut routes = self.routes();
        routes.retain(|route| route.is_current());
        routes.len()
    }

    /// The stream that comes in, if there is one.
    #[must_use]
    pub fn stream(&self) -> Option<SendMedia> {
        self.inlet().stream.clone()
    }

    /// What the unit has heard since it is there.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let inlet = self.inlet();
        let (playback, rate) = (&inlet.playback, self.0.takes);
        Heard {
            played: rate.duration_of(playback.played()),
            unplayed: rate.duration_of(playback.unplayed() as u64),
            cleared: rate.duration_of(playback.cleared()),
            dropped: rate.duration_of(playback.skipped() + playback.refused()),
            underruns: playback.underruns(),
        }
    }

    pub(super) fn send_to(&self, target: &Self, with: SendMedia) -> Result<(), MediaError> {
        if Arc::ptr_eq(&self.0, &target.0) {
            return Err(MediaError::ToItself);
        }
        let mut routes = self.routes();
        routes.retain(|route| route.is_current() && !route.leads_to(&target.0));
        if routes.len() >= MOST_TARGETS {
            return Err(MediaError::TooMany);
        }
        let (tag, path) = (with.tag.clone(), Path::new(self.0.gives, with.encoding, target.0.takes));
        let generation = target.inlet().begin(with, self.0.pace);
        routes.push(Route { target: Arc::downgrade(&target.0), generation, tag, path });
        Ok(())
    }

    /// Gives whether there was something to stop.
    pub(super) fn stop_to(&self, target: &Self) -> bool {
        let mut routes = self.routes();
        let Some(at) = routes.iter().position(|route| route.leads_to(&target.0)) else {
            return false;
        };
        let route = routes.remove(at);
        target.inlet().end(route.generation)
    }

    fn routes(&self) -> MutexGuard<'_, Vec<Route>> {
        // A route is whole between any two instructions that can panic. Routes are locked before inlets, never the other way round.
        self.0.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inlet(&self) -> MutexGuard<'_, Inlet> {
        self.0.inlet()
    }
}

impl Shared {
    fn inlet(&self) -> MutexGuard<'_, Inlet> {
        self.inlet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a unit is to hear.
#[derive(Debug)]
struct Inlet {
    playback: Playback,
    stream: Option<SendMedia>,
    /// Counts the streams: a route that was replaced knows it by this.
    generation: u64,
    pace: Pace,
    most: usize,
    kept: usize,
}

impl Inlet {
    fn begin(&mut self, stream: SendMedia, pace: Pace) -> u64 {
        self.playback.clear();
        self.playback.set_lead(match pace {
            Pace::Ahead => Duration::ZERO,
            Pace::Live => LIVE_LEAD,
        });
        self.stream = Some(stream);
        self.pace = pace;
        self.generation += 1;
        self.generation
    }

    fn end(&mut self, generation: u64) -> bool {
        let is_current = self.generation == generation && self.stream.is_some();
        if is_current {
            self.playback.clear();
            self.stream = None;
            self.generation += 1;
        }
        is_current
    }

    fn push(&mut self, samples: &[i16]) {
        self.playback.push(samples);
        if self.pace == Pace::Live && self.playback.unplayed() > self.most {
            self.playback.skip(self.playback.unplayed() - self.kept);
        }
    }
}

/// From a unit to one that it is sent to. The target is not kept alive by it.
#[derive(Debug)]
struct Route {
    target: Weak<Shared>,
    generation: u64,
    tag: String,
    path: Path,
}

impl Route {
    fn leads_to(&self, target: &Arc<Shared>) -> bool {
        std::ptr::eq(self.target.as_ptr(), Arc::as_ptr(target))
    }

    fn is_current(&self) -> bool {
        self.target.upgrade().is_some_and(|target| target.inlet().generation == self.generation)
    }

    /// Does something to the target's buffer, if the route is not replaced and the target is there.
    fn reach<R>(&self, act: impl FnOnce(&Shared, &mut Inlet) -> R) -> Option<R> {
        let target = self.target.upgrade()?;
        let mut inlet = target.inlet();
        (inlet.generation == self.generation).then(|| act(&target, &mut inlet))
    }

    fn carry(&mut self, samples: &[i16]) -> bool {
        let converted = self.path.convert(samples);
        self.reach(|_, inlet| inlet.push(&converted)).is_some()
    }

    fn utterance_ended(&mut self) -> bool {
        let rest = self.path.flush();
        let end = |_: &Shared, inlet: &mut Inlet| {
            inlet.push(&rest);
            inlet.playback.finish();
        };
        self.reach(end).is_some()
    }

    fn clear(&mut self) -> Option<Duration> {
        self.path.reset();
        self.reach(|target, inlet| target.takes.duration_of(inlet.playback.clear() as u64))
    }
}

/// What is done to the samples of one route.
#[derive(Debug)]
struct Path {
    /// To the rate of the encoding, where there is one.
    coding: Option<(Resampler, Encoding)>,
    resampler: Resampler,
}

impl Path {
    fn new(from: SampleRate, encoding: Option<Encoding>, to: SampleRate) -> Self {
        let coding = encoding.map(|encoding| (Resampler::new(from, encoding.rate()), encoding));
        let from = encoding.map_or(from, Encoding::rate);
        Self { coding, resampler: Resampler::new(from, to) }
    }

    fn convert(&mut self, samples: &[i16]) -> Vec<i16> {
        let mut converted = Vec::new();
        match &mut self.coding {
            None => self.resampler.process(samples, &mut converted),
            Some((resampler, encoding)) => {
                let mut coded = Vec::new();
                resampler.process(samples, &mut coded);
                through(*encoding, &mut coded);
                self.resampler.process(&coded, &mut converted);
            }
        }
        converted
    }

    fn flush(&mut self) -> Vec<i16> {
        let mut converted = Vec::new();
        if let Some((resampler, encoding)) = &mut self.coding {
            let mut coded = Vec::new();
            resampler.flush(&mut coded);
            through(*encoding, &mut coded);
            self.resampler.process(&coded, &mut converted);
        }
        self.resampler.flush(&mut converted);
        converted
    }

    fn reset(&mut self) {
        if let Some((resampler, _)) = &mut self.coding {
            resampler.reset();
        }
        self.resampler.reset();
    }
}

/// Makes samples what they are after coding and decoding.
fn through(encoding: Encoding, samples: &mut [i16]) {
    if let Some(law) = encoding.law() {
        for sample in samples {
            *sample = law.decode(law.encode(*sample));
        }
    }
}
