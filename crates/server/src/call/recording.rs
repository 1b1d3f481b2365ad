//! The recording of a call: stereo, left what the user sent, right what was really played out to them (protocol.md 7.8, A-53).
//!
//! Owns where each piece of audio stands on the recording's clock, the wall clock from the join on, and hands it to a writer of
//! its own. Nothing here waits, and nothing here can fail a call: what cannot be recorded is silence, and an event says so.

mod archive;
pub(super) mod mixer;
pub(super) mod places;
#[cfg(test)]
mod properties;
mod stretch;
pub(super) mod tracks;
mod writer;

use std::time::Duration;

use antiphon_api::CallId;
use antiphon_audio::SampleRate;
use antiphon_engine::CallTime;
use antiphon_engine::output::{Notice, Severity};
use bytes::Bytes;
use tokio::task::JoinHandle;

pub use archive::{Recorded, Recordings, Unreadable};
pub use mixer::Side;
pub use stretch::stretch_of;

use places::{Entry, Places, TooFarAhead, What};
use writer::{Full, Queue, Shape, writer};

/// How long the end of a call may wait until its recording is complete.
const PATIENCE: Duration = Duration::from_secs(5);

/// The recording of one call, if it is recorded at all.
#[derive(Debug)]
pub struct Recording {
    places: Places,
    state: State,
    missing: Missing,
    failure_told: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing is recorded.
    Off,
    On(Queue, JoinHandle<()>),
    /// What comes now is not recorded any more.
    Ended(Queue, JoinHandle<()>),
}

/// What the writer had no room for, over both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Nothing,
    /// There is some, and nobody knows yet.
    Untold(Duration),
    /// That it began was told.
    Told(Duration),
    /// How much it was over the whole call was told.
    Summed,
}

impl Recording {
    /// Of a call that is not recorded, or not joined yet: takes everything and does nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::new(State::Off, CallTime::ZERO, SampleRate::EAR, SampleRate::EAR)
    }

    /// Starts the recording of a call that is joined now, with the rates of its two sides. Must be called within a tokio
    /// runtime.
    #[must_use]
    pub fn start(
        recordings: &Recordings,
        call: CallId,
        joined: CallTime,
        user: SampleRate,
        agent: SampleRate,
    ) -> Self {
        let shape = Shape {
            partial: recordings.partial(call),
            complete: recordings.complete(call),
            user,
            agent,
            rate: recordings.rate(),
        };
        let (queue, writing) = writer(shape);
        Self::new(State::On(queue, tokio::spawn(writing)), joined, user, agent)
    }

    fn new(state: State, joined: CallTime, user: SampleRate, agent: SampleRate) -> Self {
        Self {
            places: Places::new(joined, user, agent),
            state,
            missing: Missing::Nothing,
            failure_told: false,
        }
    }

    /// Records what came from the user now, in samples at the user's rate.
    pub fn hear(&mut self, now: CallTime, samples: &[i16]) {
        let State::On(queue, _) = &self.state else { return };
        let (missing, rate) = (&mut self.missing, self.places.user.rate());
        self.places.hear(now, samples, |entry| put(queue, missing, rate, entry));
    }

    /// Records what is sent to the client now, in the format of the agent's side. It stands where the client plays it.
    pub fn play(&mut self, now: CallTime, audio: &Bytes) {
        let State::On(queue, _) = &self.state else { return };
        let rate = self.places.agent.rate();
        match self.places.play(now, audio) {
            Ok(entry) => put(queue, &mut self.missing, rate, entry),
            Err(TooFarAhead(length)) => self.missing.add(length),
        }
    }

    /// The client drops what it has not played by now.
    pub fn clear(&mut self, now: CallTime) {
        let State::On(queue, _) = &self.state else { return };
        if queue.put(self.places.clear(now)) == Err(Full) {
            // Hundreds of interruptions within the seconds that the disk hangs: what they cut stays.
            self.missing.add(Duration::ZERO);
        }
    }

    /// Settles what was held back to see whether more comes. To be called when audio has not come for two seconds.
    pub fn settle(&mut self, now: CallTime) {
        let State::On(queue, _) = &self.state else { return };
        let (missing, rate) = (&mut self.missing, self.places.user.rate());
        self.places.settle(now, |entry| put(queue, missing, rate, entry));
    }

    /// Ends the recording: what the client has not played by now is not in it. Audio that the user sent faster than real time
    /// is. Nothing that comes later changes anything.
    pub fn end(&mut self, now: CallTime) {
        self.settle(now);
        self.clear(now);
        let now = self.places.since_join(now);
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::On(queue, writing) => {
                queue.put(Entry { now, what: What::End }).expect("room for the end is kept");
                State::Ended(queue, writing)
            }
            other @ (State::Off | State::Ended(..)) => other,
        };
    }

    /// Whatever is wrong with the recording and was not told yet, for the call's record.
    pub fn trouble(&mut self) -> Option<Notice> {
        let (State::On(queue, _) | State::Ended(queue, _)) = &self.state else { return None };
        let ended = matches!(self.state, State::Ended(..));
        if let Some(why) = queue.failure().filter(|_| !self.failure_told) {
            let text = format!("the recording cannot be written, and the call goes on without it: {why}");
            self.failure_told = true;
            return Some(Notice { severity: Severity::Error, kind: "recording.failed", text });
        }
        let (missing, text) = match self.missing {
            Missing::Untold(missing) | Missing::Told(missing) if ended => (
                Missing::Summed,
                format!("{missing:.1?} of audio did not fit and are silence in the recording"),
            ),
            Missing::Untold(missing) => {
                let why = "the disk is too slow, or audio is sent more than 60s ahead";
                let text =
                    format!("the recording does not keep up ({why}); what does not fit is silence in it");
                (Missing::Told(missing), text)
            }
            Missing::Nothing | Missing::Told(_) | Missing::Summed => return None,
        };
        self.missing = missing;
        Some(Notice { severity: Severity::Warning, kind: "recording.gap", text })
    }

    /// Waits until an ended recording is complete under its name, but not for long: the disk may hang.
    pub async fn completed(&mut self) {
        let State::Ended(_, writing) = &mut self.state else { return };
        if writing.is_finished() {
            return;
        }
        match tokio::time::timeout(PATIENCE, writing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the recording's writer failed: this is a bug of the server")
            }
            Err(_) => tracing::warn!("the recording is not complete yet; the call does not wait for it"),
        }
    }
}

fn put(queue: &Queue, missing: &mut Missing, rate: SampleRate, entry: Entry) {
    let samples = entry.samples();
    if queue.put(entry) == Err(Full) {
        missing.add(rate.duration_of(samples));
    }
}

impl Missing {
    fn add(&mut self, more: Duration) {
        *self = match *self {
            Self::Nothing => Self::Untold(more),
            Self::Untold(length) => Self::Untold(length + more),
            Self::Told(length) => Self::Told(length + more),
            Self::Summed => Self::Summed,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use antiphon_audio::Wav;

    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("antiphon-recording-{}", uuid::Uuid::new_v4())))
        }

        fn recordings(&self) -> Recordings {
            Recordings::new(self.0.clone(), SampleRate::EAR)
        }

        fn files(&self) -> Vec<String> {
            let files = std::fs::read_dir(&self.0).unwrap();
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn call() -> CallId {
        CallId::new(uuid::Uuid::from_u128(7))
    }

    fn started(recordings: &Recordings) -> Recording {
        Recording::start(recordings, call(), CallTime::from_millis(500), SampleRate::EAR, SampleRate::EAR)
    }

    /// A second of both sides in frames of 20 ms, from this millisecond after the join on.
    fn second(recording: &mut Recording, from: u64) {
        for frame in 0..50 {
            let now = |ms| CallTime::from_millis(500 + from + ms);
            recording.play(now(frame * 20), &Bytes::from_iter([2, 0].repeat(320)));
            recording.hear(now(frame * 20 + 20), &[1; 320]);
        }
    }

    fn read(directory: &Directory) -> Wav {
        Wav::read(std::fs::File::open(directory.recordings().complete(call())).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_recording_has_the_user_on_the_left_and_gets_its_name_in_the_end() {
        let directory = Directory::new();
        let mut recording = started(&directory.recordings());
        second(&mut recording, 0);
        recording.end(CallTime::from_millis(1_700));
        recording.hear(CallTime::from_millis(1_800), &[1; 320]);
        recording.completed().await;
        recording.completed().await;
        assert_eq!(recording.trouble(), None);

        assert_eq!(directory.files(), [format!("{}.wav", call())]);
        let wav = read(&directory);
        let expected = |value: i16| [vec![value; 16_000], vec![0; 3_200]].concat();
        assert!(wav.channel(0) == expected(1) && wav.channel(1) == expected(2));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_listen() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = Directory::new();
        let mut recording = started(&directory.recordings());
        recording.end(CallTime::from_millis(600));
        recording.completed().await;
        for path in [directory.0.clone(), directory.recordings().complete(call())] {
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
        }
    }

    #[tokio::test]
    async fn a_disk_that_hangs_costs_audio_and_nothing_else() {
        let directory = Directory::new();
        let mut recording = started(&directory.recordings());
        // The writer gets no turn in these two minutes.
        for from in 0..120 {
            second(&mut recording, from * 1_000);
        }
        let kinds = |recording: &mut Recording| {
            std::iter::from_fn(|| recording.trouble()).map(|notice| notice.text).collect::<Vec<_>>()
        };
        let told = kinds(&mut recording);
        assert!(told.len() == 1 && told[0].contains("the disk is too slow"), "{told:?}");
        recording.end(CallTime::from_millis(500 + 120_000));
        recording.completed().await;
        let told = kinds(&mut recording);
        assert!(told.len() == 1 && told[0].contains("are silence in the recording"), "{told:?}");

        let wav = read(&directory);
        assert_eq!(wav.samples.len(), 2 * 120 * 16_000);
        let (user, agent) = (wav.channel(0), wav.channel(1));
        assert!(user[..5 * 16_000].iter().all(|sample| *sample == 1), "what found room is there");
        assert!(agent[20 * 16_000..].iter().all(|sample| *sample == 0), "what found none is silence");
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_fails_the_recording_and_not_the_call() {
        let directory = Directory::new();
        std::fs::write(&directory.0, "in the way").unwrap();
        let mut recording = started(&directory.recordings());
        second(&mut recording, 0);
        recording.end(CallTime::from_millis(2_000));
        recording.completed().await;
        let notice = recording.trouble().unwrap();
        assert_eq!((notice.severity, notice.kind), (Severity::Error, "recording.failed"));
        assert_eq!(recording.trouble(), None);
    }

    #[tokio::test]
    async fn a_call_that_fails_leaves_what_was_recorded() {
        let directory = Directory::new();
        let mut recording = started(&directory.recordings());
        second(&mut recording, 0);
        let State::On(queue, writing) = std::mem::replace(&mut recording.state, State::Off) else {
            panic!("it is on")
        };
        drop(queue);
        writing.await.unwrap();
        assert_eq!(read(&directory).channel(0), [1; 16_000]);
    }

    #[tokio::test]
    async fn one_side_of_a_stretch_is_a_file_of_its_own() {
        use futures::TryStreamExt as _;

        let directory = Directory::new();
        let mut recording = started(&directory.recordings());
        second(&mut recording, 0);
        recording.end(CallTime::from_millis(2_500));
        recording.completed().await;
        let side = async |side, from, to| {
            let recorded = directory.recordings().open(call()).await.unwrap().unwrap();
            assert_eq!(recorded.duration(), Duration::from_secs(2));
            let stretch = Duration::from_millis(from)..Duration::from_millis(to);
            let (length, audio) = recorded.side(side, stretch).await.unwrap();
            let bytes: Vec<Bytes> = audio.try_collect().await.unwrap();
            let bytes = bytes.concat();
            assert_eq!(bytes.len() as u64, length);
            let wav = Wav::read(&bytes[..]).unwrap();
            assert_eq!(wav.channels, 1);
            wav.samples
        };
        assert_eq!(side(Side::User, 500, 1_250).await, [vec![1; 8_000], vec![0; 4_000]].concat());
        assert_eq!(side(Side::Agent, 0, 1).await, [2; 16]);
        assert_eq!(side(Side::User, 1_900, 90_000).await, [0; 1_600]);
        assert_eq!(side(Side::User, 5_000, 90_000).await, [0; 0]);
        assert_eq!(side(Side::User, 900, 100).await, [0; 0]);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_gets_its_name_when_it_is_asked_for() {
        let directory = Directory::new();
        let recordings = directory.recordings();
        assert!(recordings.open(call()).await.unwrap().is_none());
        let mut recording = started(&recordings);
        second(&mut recording, 0);
        recording.end(CallTime::from_millis(1_500));
        recording.completed().await;
        std::fs::rename(recordings.complete(call()), recordings.partial(call())).unwrap();

        let recorded = recordings.open(call()).await.unwrap().unwrap();
        assert_eq!(recorded.size(), 44 + 4 * 16_000);
        assert_eq!(directory.files(), [format!("{}.wav", call())]);
        recordings.delete(call()).await.unwrap();
        recordings.delete(call()).await.unwrap();
        assert!(directory.files().is_empty());
    }
}
