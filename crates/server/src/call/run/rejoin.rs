//! How the driver waits for a client that lost its connection, and goes on with it.
//!
//! Meanwhile the call's clock stands: nothing is due, nothing is played, and the recording goes on where it stopped. Results of
//! backends and wishes of others are taken as ever; what they lead to is kept for the client as far as its buffer would take it. So
//! the conversation hears of a lost connection as of any other news, and what it does is the same when it is replayed.

use std::time::Duration;

use antiphon_api::realtime::{Rejoined, ServerMessage, State};
use antiphon_engine::input::LegClosed;
use antiphon_engine::{CallTime, Input};
use tokio::time::Instant;
use tracing::info;

use super::super::backlog::{Backlog, Missed, Received};
use super::super::leg::{CarrierEnd, CloseCode, Departure, ToClient, leg};
use super::super::wire::agent_state;
use super::{Driver, call_time};

/// How often a call's client may come back; one that is lost more often has no connection worth the name.
const MOST: usize = 100;
/// Audio that is kept for a client beyond what it may hold unplayed, and at most.
const MARGIN: Duration = Duration::from_secs(1);
const MOST_AUDIO: Duration = Duration::from_secs(30);

/// What a call has whose client may come back.
pub(super) struct Rejoining {
    pub(super) backlog: Backlog,
    /// How long it is waited for.
    window: Duration,
    /// Whether it is waited for now.
    away: Option<Away>,
    /// When the clock stood, and for how long.
    stood: Vec<(CallTime, Duration)>,
}

/// A client that is waited for.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: Instant,
    until: Instant,
    /// What its departure means if it does not come back.
    meaning: LegClosed,
}

impl Rejoining {
    fn new(window: Duration, most_bytes: usize, most_samples: u64) -> Self {
        Self { backlog: Backlog::new(most_bytes, most_samples), window, away: None, stood: Vec::new() }
    }

    /// How long the clock had stood at a moment of the call.
    pub(super) fn stood_by(&self, at: CallTime, zero: Instant) -> Duration {
        let before: Duration =
            self.stood.iter().filter(|(since, _)| *since <= at).map(|(_, length)| *length).sum();
        let now = self.away.filter(|away| call_time(zero, away.since) <= at);
        before + now.map_or(Duration::ZERO, |away| away.since.elapsed())
    }
}

impl Driver {
    /// A client joins for the first time and would come back: whether it may.
    pub(super) fn allow_rejoining(&mut self) {
        let settings = &self.means.settings;
        let window = settings.rejoin_window;
        if window.is_zero() {
            return;
        }
        let length = (self.setup.engine.client_buffer + MARGIN).min(MOST_AUDIO);
        let samples = self.setup.output_rate.samples_in(length);
        self.rejoining = Some(Box::new(Rejoining::new(window, settings.rejoin_buffer_bytes, samples)));
        self.wire.rejoins_within(window);
    }

    /// Whether a client is waited for that was lost.
    pub(super) fn is_away(&self) -> bool {
        self.rejoining.as_ref().is_some_and(|rejoining| rejoining.away.is_some())
    }

    /// When the clock stopped, if it stands.
    pub(super) fn stopped(&self) -> Option<Instant> {
        Some(self.rejoining.as_ref()?.away?.since)
    }

    /// Until when a client is waited for that was lost.
    pub(super) fn away_until(&self) -> Option<Instant> {
        Some(self.rejoining.as_ref()?.away?.until)
    }

    /// How long the clock has stood in all.
    pub(super) fn stood(&self) -> Duration {
        self.rejoining.as_ref().map_or(Duration::ZERO, |rejoining| rejoining.stood_by(self.now(), self.zero))
    }

    /// The connection is over: waits for the client, if it may come back, or else is done with it.
    pub(super) fn depart(&mut self, how: Departure) {
        let meaning = how.meaning();
        let window = match &self.rejoining {
            Some(rejoining) if how.may_return() && !self.closed && rejoining.stood.len() < MOST => {
                rejoining.window
            }
            Some(_) | None => return self.gone(meaning),
        };
        self.leg = None;
        if let Some(rejoining) = &mut self.rejoining {
            let since = Instant::now();
            rejoining.away = Some(Away { since, until: since + window, meaning });
        }
        info!("the client was lost; waiting for it");
        self.tell(Input::ConnectionLost);
    }

    /// The client has not come back.
    pub(super) fn give_up_on_client(&mut self) {
        if let Some(away) = self.rejoining.as_ref().and_then(|rejoining| rejoining.away) {
            self.expect_nobody();
            self.gone(away.meaning);
        }
    }

    /// The call goes to its end without a client: nobody is waited for any more.
    pub(super) fn expect_nobody(&mut self) {
        if self.is_away() {
            self.start_clock();
        }
    }

    fn gone(&mut self, meaning: LegClosed) {
        self.closed = true;
        self.end_sound();
        self.tell(Input::LegClosed(meaning));
    }

    /// Connects a client that was there before. It takes the place of a connection of its own that is not known to be lost yet.
    ///
    /// # Errors
    /// The code to close the connection with: the call has somebody, is over, or has never sent what the client says it has.
    pub(super) fn rejoin(&mut self, received: Option<Received>) -> Result<CarrierEnd, CloseCode> {
        let connected = self.is_connected();
        let (Some(received), Some(rejoining)) = (received, &self.rejoining) else {
            return Err(if connected || self.is_away() { CloseCode::InUse } else { CloseCode::Ended });
        };
        if self.closed || rejoining.stood.len() >= MOST {
            return Err(CloseCode::Ended);
        }
        let unplayed = self.conversation.unplayed(self.now());
        let missed = rejoining.backlog.missed_by(received, unplayed).ok_or(CloseCode::BadRequest)?;
        let lost_audio = self.setup.output_rate.duration_of(missed.lost_samples);
        let (mut call_end, carrier_end) = leg(self.setup.engine.client_buffer);
        let sent = resend(&missed, lost_audio).into_iter().try_for_each(|what| call_end.send(what));
        let audio = missed.audio;
        // The client of the other connection must not take this for a loss, and come back in turn.
        if let Some(mut old) = self.connect(call_end) {
            let _ = old.send(ToClient::Close(CloseCode::InUse));
        }
        let after = self.start_clock();
        info!(?after, "the client is back");
        self.media = Instant::now();
        if let Some(state) = self.state {
            self.send(ToClient::Message(Box::new(ServerMessage::State(State { state: agent_state(state) }))));
        }
        // What is sent again is in the backlog already.
        let again = audio.into_iter().map(ToClient::Audio);
        let sent = sent.and_then(|()| {
            again.into_iter().try_for_each(|audio| match &mut self.leg {
                Some(leg) => leg.send(audio),
                None => Ok(()),
            })
        });
        if sent.is_err() {
            self.lose_client();
        }
        self.inputs.push_back(Input::Rejoined { after, lost_audio });
        Ok(carrier_end)
    }

    /// Lets the clock go on where it stopped. Returns for how long it stood.
    fn start_clock(&mut self) -> Duration {
        let at = self.now();
        let Some(rejoining) = &mut self.rejoining else { return Duration::ZERO };
        let length = rejoining.away.take().map_or(Duration::ZERO, |away| away.since.elapsed());
        rejoining.stood.push((at, length));
        self.zero += length;
        if let Some(ear) = &mut self.ear {
            ear.stood(length);
        }
        length
    }
}

/// What a client is sent before anything new, but for audio.
fn resend(missed: &Missed<'_>, lost_audio: Duration) -> Vec<ToClient> {
    let head = ServerMessage::Rejoined(Rejoined {
        next_message: missed.next,
        lost_messages: missed.lost_messages,
        lost_audio_ms: u64::try_from(lost_audio.as_millis()).unwrap_or(u64::MAX),
    });
    let again = missed.messages.iter().map(|text| ToClient::Again((*text).to_owned()));
    std::iter::once(ToClient::Message(Box::new(head))).chain(again).collect()
}
