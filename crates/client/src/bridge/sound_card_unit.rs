//! Microphone and speaker as a unit.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use antiphon_audio::SampleRate;

use super::port::Port;
use super::unit::MediaUnit;
use crate::sound_card::{DeviceError, Microphone, Speaker};

const FRAME: Duration = Duration::from_millis(20);
/// A clock that stood still for longer, as that of a computer that slept, is not made up for.
const LATEST: Duration = Duration::from_secs(1);

/// The default microphone and speaker, which work until this is dropped.
#[derive(Debug)]
pub struct SoundCard {
    port: Port,
    /// Dropped with the unit, which ends its thread.
    _held: mpsc::Sender<()>,
}

impl SoundCard {
    /// Begins to listen and to sound, in a thread of its own: devices of some systems must stay in one.
    ///
    /// # Errors
    ///
    /// One of the two is not there, or cannot be used.
    pub fn open() -> Result<Self, DeviceError> {
        let port = Port::live(SampleRate::WEBSOCKET_DEFAULT);
        let (held, dropped) = mpsc::channel();
        let (opened, outcome) = mpsc::channel();
        let unit = port.clone();
        thread::spawn(move || {
            let rate = unit.takes();
            match Microphone::open(rate).and_then(|microphone| Ok((microphone, Speaker::open(rate)?))) {
                // Whoever opens it waits for this.
                Err(error) => drop(opened.send(Err(error))),
                Ok((microphone, speaker)) => {
                    let _ = opened.send(Ok(()));
                    run(&unit, microphone, speaker, &dropped);
                }
            }
        });
        outcome.recv().expect("the thread tells before it ends")?;
        Ok(Self { port, _held: held })
    }
}

impl MediaUnit for SoundCard {
    fn port(&self) -> &Port {
        &self.port
    }
}

fn run(port: &Port, mut microphone: Microphone, mut speaker: Speaker, dropped: &mpsc::Receiver<()>) {
    let mut frame = vec![0; port.takes().samples_in(FRAME) as usize];
    let mut due = Instant::now();
    while dropped.recv_timeout(due.saturating_duration_since(Instant::now()))
        == Err(RecvTimeoutError::Timeout)
    {
        microphone.read(&mut frame);
        port.give(&frame);
        port.take(&mut frame);
        speaker.play(&frame);
        due += FRAME;
        if due.elapsed() > LATEST {
            due = Instant::now();
        }
    }
}
