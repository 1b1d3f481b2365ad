//! One call as a unit of sound: a task with a clock of 20 ms between the party at the other end and the exchange.
//!
//! The clock never waits for anybody: what cannot be told at once is told later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{DtmfKey, SampleRate};
use antiphon_client::bridge::Port;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::News;
use super::party::{Deed, Party, Scene};
use crate::command::{CallId, Headers, Notice};

/// What the sound is cut into.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Orders that wait to be followed.
const ORDERS: usize = 64;
/// Notices that wait to be told; keys that are pressed beyond are left out.
const UNTOLD: usize = 32;
/// How long a key sounds, and the gap after it (ITU-T Q.24 asks for 40 ms each at least).
const KEY: Duration = Duration::from_millis(100);
/// A pause among digits.
const PAUSE: Duration = Duration::from_millis(500);
/// Digits that wait to be heard, as time.
const MOST_DIGITS: Duration = Duration::from_secs(60);

/// What is asked of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Answer,
    Digits(String),
    EarlyMedia,
    Reject(u16),
}

/// A call, seen from the exchange.
#[derive(Debug)]
pub(super) struct Leg {
    port: Port,
    orders: mpsc::Sender<Order>,
    /// Apart from the orders, so that it is never crowded out.
    hang_up: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Leg {
    /// A call that comes in.
    pub(super) fn incoming(id: CallId, party: Box<dyn Party>, tell: mpsc::Sender<News>) -> Self {
        Self::begin(id, party, Stage::Alerting { early_media: false }, tell)
    }

    /// A call that goes out.
    pub(super) fn outgoing(id: CallId, party: Box<dyn Party>, tell: mpsc::Sender<News>) -> Self {
        let left = party.answers_after();
        Self::begin(id, party, Stage::Ringing { left }, tell)
    }

    fn begin(id: CallId, party: Box<dyn Party>, stage: Stage, tell: mpsc::Sender<News>) -> Self {
        let port = Port::live(party.rate());
        let (orders, ordered) = mpsc::channel(ORDERS);
        let hang_up = Arc::new(Notify::new());
        let line = Line {
            id,
            rate: party.rate(),
            party,
            port: port.clone(),
            stage,
            digits: VecDeque::new(),
            untold: VecDeque::new(),
            tell,
        };
        let task = tokio::spawn(line.run(ordered, Arc::clone(&hang_up)));
        Self { port, orders, hang_up, task }
    }

    pub(super) fn port(&self) -> &Port {
        &self.port
    }

    /// Asks for something; false if too much waits already.
    pub(super) fn order(&self, order: Order) -> bool {
        !matches!(self.orders.try_send(order), Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Ends the call.
    pub(super) fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    /// Whether the call is over and what was recorded is complete.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until the call is over and what was recorded is complete.
    pub(super) async fn over(self) {
        // A task that has panicked is over, too.
        let _ = self.task.await;
    }
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It comes in and nobody has answered.
    Alerting { early_media: bool },
    /// It goes out, and rings for so long.
    Ringing { left: Duration },
    /// It is answered; sound has gone over it or not.
    Connected { sounded: bool },
    /// It is over.
    Over,
}

/// A call, seen from its own task.
struct Line {
    id: CallId,
    rate: SampleRate,
    party: Box<dyn Party>,
    port: Port,
    stage: Stage,
    /// Sound of keys that the party is to hear.
    digits: VecDeque<i16>,
    untold: VecDeque<Notice>,
    tell: mpsc::Sender<News>,
}

impl Line {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>, hang_up: Arc<Notify>) {
        if let Stage::Ringing { .. } = self.stage {
            self.say(Notice::CallRinging { call: self.id.clone() });
        }
        let mut clock = clock();
        while self.stage != Stage::Over {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.follow(&order),
                    // The exchange is gone.
                    None => self.end_here(),
                },
                () = hang_up.notified() => self.end_here(),
                _ = clock.tick() => self.tick(),
            }
            self.flush();
        }
        let Self { party, untold, tell, .. } = self;
        if let Err(text) = party.finish() {
            let _ = tell.send(News::Notice(Notice::Remark { text })).await;
        }
        for notice in untold {
            // The session may be over.
            let _ = tell.send(News::Notice(notice)).await;
        }
    }

    fn follow(&mut self, order: &Order) {
        match (order, self.stage) {
            (Order::Answer, Stage::Alerting { .. }) => self.connect(),
            (Order::EarlyMedia, Stage::Alerting { .. }) => self.stage = Stage::Alerting { early_media: true },
            (Order::Digits(digits), Stage::Connected { .. }) => self.dial(digits),
            (Order::Reject(code), Stage::Alerting { .. }) => self.end(*code),
            // The call has come further meanwhile.
            (Order::Answer | Order::Digits(_) | Order::EarlyMedia | Order::Reject(_), _) => {}
        }
    }

    /// This side ends the call.
    fn end_here(&mut self) {
        match self.stage {
            Stage::Alerting { .. } | Stage::Ringing { .. } => self.end(487),
            Stage::Connected { .. } | Stage::Over => self.end(200),
        }
    }

    fn connect(&mut self) {
        self.stage = Stage::Connected { sounded: false };
        self.say(Notice::CallConnected { call: self.id.clone(), headers: Headers::new() });
    }

    fn end(&mut self, code: u16) {
        let (call, reason) = (self.id.clone(), reason(code).to_owned());
        let notice = match self.stage {
            Stage::Connected { .. } => Notice::CallDisconnected { call, code, reason },
            Stage::Alerting { .. } | Stage::Ringing { .. } => Notice::CallFailed { call, code, reason },
            Stage::Over => return,
        };
        self.stage = Stage::Over;
        self.port.utterance_ended();
        self.say(notice);
    }

    /// 20 ms of the call.
    fn tick(&mut self) {
        let length = self.rate.samples_in(FRAME) as usize;
        let (mut says, mut hears) = (vec![0; length], vec![0; length]);
        let answered = match self.stage {
            Stage::Ringing { left } => {
                match left.checked_sub(FRAME) {
                    Some(left) => self.stage = Stage::Ringing { left },
                    None => self.connect(),
                }
                return;
            }
            Stage::Alerting { early_media: false } | Stage::Over => return,
            Stage::Alerting { early_media: true } => false,
            Stage::Connected { .. } => true,
        };
        self.port.take(&mut hears);
        for sample in &mut hears {
            let Some(digit) = self.digits.pop_front() else { break };
            *sample = sample.saturating_add(digit);
        }
        let scene = Scene { answered, listened_to: self.port.targets() > 0 };
        let deed = self.party.frame(&mut says, &hears, &scene);
        if !answered {
            return;
        }
        self.port.give(&says);
        if self.stage == (Stage::Connected { sounded: false }) {
            self.stage = Stage::Connected { sounded: true };
            self.say(Notice::CallAudioStarted { call: self.id.clone() });
        }
        match deed {
            Deed::HangUp => self.end(200),
            Deed::Press(tone) => self.say(Notice::Tone { call: self.id.clone(), tone }),
            Deed::Stay => {}
        }
    }

    fn dial(&mut self, digits: &str) {
        for sign in digits.chars() {
            let most = self.rate.samples_in(MOST_DIGITS) as usize;
            if self.digits.len() >= most {
                return;
            }
            let mut sound = Vec::new();
            match DtmfKey::new(sign) {
                Some(key) => {
                    key.press(KEY, self.rate, &mut sound);
                    sound.resize(sound.len() + self.rate.samples_in(KEY) as usize, 0);
                }
                None => sound.resize(self.rate.samples_in(PAUSE) as usize, 0),
            }
            self.digits.extend(sound);
        }
    }

    /// Tells something as soon as there is room.
    fn say(&mut self, notice: Notice) {
        let is_key = matches!(notice, Notice::Tone { .. });
        if !is_key || self.untold.len() < UNTOLD {
            self.untold.push_back(notice);
        }
    }

    fn flush(&mut self) {
        while let Some(notice) = self.untold.pop_front() {
            match self.tell.try_send(News::Notice(notice)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(News::Notice(notice))) => {
                    self.untold.push_front(notice);
                    return;
                }
                // The session is over, and there is nobody to tell.
                Err(_) => return,
            }
        }
    }
}

/// The words for a SIP status (RFC 3261, 21).
fn reason(code: u16) -> &'static str {
    match code {
        200 => "Normal call clearing",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        486 => "Busy Here",
        487 => "Request Terminated",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Call rejected",
    }
}

/// Ticks at absolute deadlines: a tick that comes late does not delay the next.
fn clock() -> Interval {
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    clock
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use antiphon_client::bridge::{MediaUnit as _, SendMedia};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Somebody who does what they are given, deed by deed, and keeps what they hear.
    struct Puppet {
        deeds: VecDeque<Deed>,
        heard: Arc<Mutex<Vec<i16>>>,
    }

    impl Party for Puppet {
        fn rate(&self) -> SampleRate {
            SampleRate::PHONE
        }

        fn frame(&mut self, says: &mut [i16], hears: &[i16], _: &Scene) -> Deed {
            says.fill(7);
            self.heard.lock().unwrap().extend(hears);
            self.deeds.pop_front().unwrap_or(Deed::Stay)
        }
    }

    fn puppet(deeds: impl IntoIterator<Item = Deed>) -> (Box<Puppet>, Arc<Mutex<Vec<i16>>>) {
        let heard = Arc::default();
        (Box::new(Puppet { deeds: deeds.into_iter().collect(), heard: Arc::clone(&heard) }), heard)
    }

    async fn next(news: &mut mpsc::Receiver<News>) -> Notice {
        match news.recv().await {
            Some(News::Notice(notice)) => notice,
            other => panic!("{other:?}"),
        }
    }

    fn call() -> CallId {
        CallId::new(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_goes_out_rings_for_a_second_and_is_answered() {
        let (tell, mut news) = mpsc::channel(8);
        let began = Instant::now();
        let leg = Leg::outgoing(call(), puppet([Deed::Stay, Deed::HangUp]).0, tell);
        assert_eq!(next(&mut news).await, Notice::CallRinging { call: call() });
        assert_eq!(next(&mut news).await, Notice::CallConnected { call: call(), headers: Headers::new() });
        let rang = began.elapsed();
        assert!((Duration::from_millis(980)..=Duration::from_millis(1_040)).contains(&rang), "{rang:?}");
        assert_eq!(next(&mut news).await, Notice::CallAudioStarted { call: call() });
        let reason = "Normal call clearing".to_owned();
        assert_eq!(next(&mut news).await, Notice::CallDisconnected { call: call(), code: 200, reason });
        leg.over().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_or_refused_has_failed() {
        for (order, code, reason) in [(None, 487, "Request Terminated"), (Some(486), 486, "Busy Here")] {
            let (tell, mut news) = mpsc::channel(8);
            let leg = Leg::incoming(call(), puppet([]).0, tell);
            match order {
                Some(code) => assert!(leg.order(Order::Reject(code))),
                None => leg.hang_up(),
            }
            assert_eq!(
                next(&mut news).await,
                Notice::CallFailed { call: call(), code, reason: reason.to_owned() }
            );
            leg.over().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sound_goes_both_ways_from_the_answer_on_and_before_it_only_as_early_media() {
        let (tell, mut news) = mpsc::channel(8);
        let (party, heard) = puppet([]);
        let leg = Leg::incoming(call(), party, tell);
        let other = Port::live(SampleRate::PHONE);
        other.send_media_to(leg.port(), SendMedia::default()).unwrap();
        leg.port().send_media_to(&other, SendMedia::default()).unwrap();
        let loud = |samples: &[i16]| samples.iter().any(|sample| *sample != 0);
        let mut said = [0; 160];

        other.give(&[3; 1_600]);
        sleep(FRAME * 3).await;
        assert!(!loud(&heard.lock().unwrap()), "it rings");
        assert!(leg.order(Order::EarlyMedia));
        sleep(FRAME * 3).await;
        assert!(loud(&heard.lock().unwrap()), "early media");
        assert_eq!(other.take(&mut said), 0);

        assert!(leg.order(Order::Answer));
        next(&mut news).await;
        sleep(FRAME * 5).await;
        assert!(other.take(&mut said) > 0 && loud(&said), "answered");
        leg.hang_up();
        leg.over().await;
    }

    #[tokio::test(start_paused = true)]
    async fn digits_are_heard_as_tones_with_pauses() {
        let (tell, mut news) = mpsc::channel(8);
        let (party, heard) = puppet([]);
        let leg = Leg::incoming(call(), party, tell);
        assert!(leg.order(Order::Answer));
        assert!(leg.order(Order::Digits("1p2".to_owned())));
        next(&mut news).await;
        sleep(Duration::from_secs(2)).await;
        let sounding: Vec<bool> =
            heard.lock().unwrap().chunks(160).map(|frame| frame.iter().any(|sample| *sample != 0)).collect();
        // Five frames a key and five of quiet; half a second is 25.
        let expected: Vec<bool> = [(true, 5), (false, 5 + 25), (true, 5)]
            .iter()
            .flat_map(|(loud, count)| vec![*loud; *count])
            .collect();
        assert_eq!(sounding[..40], expected);
        assert!(!sounding[40..].contains(&true));
        leg.hang_up();
        leg.over().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_takes_no_news_stops_neither_the_clock_nor_the_end() {
        let (tell, mut news) = mpsc::channel(1);
        let (party, heard) = puppet(vec![Deed::Press('5'); 500]);
        let leg = Leg::incoming(call(), party, tell);
        assert!(leg.order(Order::Answer));
        sleep(Duration::from_secs(5)).await;
        assert!(heard.lock().unwrap().len() > 8_000 * 4, "the clock goes on");
        leg.hang_up();
        sleep(Duration::from_secs(1)).await;
        let mut told = Vec::new();
        while let Some(News::Notice(notice)) = news.recv().await {
            told.push(notice);
        }
        assert!(matches!(told[0], Notice::CallConnected { .. }), "{told:?}");
        assert!(matches!(told[told.len() - 1], Notice::CallDisconnected { .. }), "{told:?}");
        assert!(told.len() <= UNTOLD + 4, "{}", told.len());
    }
}
