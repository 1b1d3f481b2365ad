//! Runs a session: its JavaScript on a thread of its own, its host on this task, one message at a time between the two.
//!
//! The scenario never keeps the host waiting: calls go on while it thinks, and what happens meanwhile waits its turn. It must not
//! know what a call or a client is made of.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::command::{Command, Notice, Voice};
use crate::outcome::{Cause, Outcome};
use crate::session::{Session, Setup};

/// The stack of the thread: the engine's own limit is an eighth of it.
const STACK: usize = 4 * 1024 * 1024;

/// What carries out a session's commands.
pub trait Host {
    /// Begins to do what is asked. Never waits; what comes of it is told by [`next`](Self::next).
    fn carry_out(&mut self, command: Command);

    /// The next thing that happens. Can be dropped and called again without losing one.
    fn next(&mut self) -> impl Future<Output = Notice> + Send;
}

/// Where the log goes: a time since the session began, whose line it is, and the line.
pub type Log<'a> = dyn FnMut(Duration, Voice, &str) + Send + 'a;

/// What the thread has done with one notice.
struct Batch {
    commands: Vec<Command>,
    deadline: Option<Duration>,
    outcome: Option<Outcome>,
}

/// Runs a session to its end, or until `stop` asks for it. Must be called within a tokio runtime.
///
/// # Errors
///
/// No thread could be had.
pub async fn run(
    setup: Setup,
    host: &mut impl Host,
    log: &mut Log<'_>,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<Outcome> {
    let (began, stuck) = (Instant::now(), setup.limits.stuck);
    let (tell, notices) = mpsc::channel(1);
    let (done, mut batches) = mpsc::channel(1);
    let session = move || serve(setup, notices, &done);
    std::thread::Builder::new().name("scenario".to_owned()).stack_size(STACK).spawn(session)?;

    let mut stop = std::pin::pin!(stop);
    let mut stopping = false;
    loop {
        let Ok(Some(batch)) = timeout(stuck, batches.recv()).await else {
            let text =
                "the scenario is stuck in a function that cannot be interrupted; the session ends without it";
            log(began.elapsed(), Voice::Error, text);
            return Ok(Outcome { cause: Cause::CallbackTooLong, errors: 1, lasted: began.elapsed() });
        };
        for command in batch.commands {
            if let Command::Log { at, voice, text } = &command {
                log(*at, *voice, text);
            } else {
                host.carry_out(command);
            }
        }
        if let Some(outcome) = batch.outcome {
            return Ok(outcome);
        }
        let due = async {
            match batch.deadline {
                Some(at) => sleep_until(began + at).await,
                None => std::future::pending().await,
            }
        };
        // In no order, so that timers that are always due do not keep calls waiting.
        let notice = tokio::select! {
            () = &mut stop, if !stopping => {
                stopping = true;
                Notice::Stop
            }
            () = due => Notice::Timeout,
            notice = host.next() => notice,
        };
        // A thread that has gone is noticed above.
        let _ = tell.send((began.elapsed(), notice)).await;
    }
}

/// The thread: a session, fed until it or the host ends.
fn serve(setup: Setup, mut notices: mpsc::Receiver<(Duration, Notice)>, done: &mpsc::Sender<Batch>) {
    let mut session = Session::begin(setup);
    loop {
        let commands = std::iter::from_fn(|| session.poll()).collect();
        let batch = Batch { commands, deadline: session.deadline(), outcome: session.outcome() };
        if done.blocking_send(batch).is_err() {
            return;
        }
        let Some((now, notice)) = notices.blocking_recv() else { return };
        session.handle(now, notice);
    }
}
