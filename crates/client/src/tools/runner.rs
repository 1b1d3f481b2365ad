//! Tools that run beside the conversation and are answered as soon as they are done.

use antiphon_api::realtime::{ClientMessage, ServerMessage, ToolInvocation, ToolResult};
use tokio::task::JoinSet;

use super::{Tools, failed};
use crate::realtime::Sender;

/// Tools that run at a time. A server that wants more is answered that there are too many.
const MOST: usize = 64;

/// Runs what a call invokes, concurrently, and sends the results. Dropping it stops what runs.
///
/// ```no_run
/// use antiphon_client::realtime::{Event, Options, connect};
/// use antiphon_client::tools::{ToolRunner, Tools};
///
/// # async fn talk(join_url: &str, tools: Tools) -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, mut events) = connect(join_url, &Options::default()).await?;
/// let mut runner = ToolRunner::new(tools, sender);
/// while let Some(event) = events.next().await {
///     if let Event::Message(message) = &event {
///         runner.handle(message);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ToolRunner {
    tools: Tools,
    sender: Sender,
    running: JoinSet<()>,
}

impl ToolRunner {
    /// A runner of these tools whose results go to `sender`.
    #[must_use]
    pub fn new(tools: Tools, sender: Sender) -> Self {
        Self { tools, sender, running: JoinSet::new() }
    }

    /// Starts what the message invokes, and gives whether it invokes something. Never waits. Must be called within a tokio runtime.
    ///
    /// An invocation of a tool of the data connection is run only if this side is the data connection, which is never told of both
    /// as its own: so each is answered in its own words.
    pub fn handle(&mut self, message: &ServerMessage) -> bool {
        while self.running.try_join_next().is_some() {}
        if let ServerMessage::ClientToolInvocation(invocation) = message {
            self.start(invocation, ClientMessage::ClientToolResult);
            true
        } else if let ServerMessage::DataConnectionToolInvocation(invocation) = message {
            self.start(invocation, ClientMessage::DataConnectionToolResult);
            true
        } else {
            false
        }
    }

    /// How many tools are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    fn start(&mut self, invocation: &ToolInvocation, answer: fn(ToolResult) -> ClientMessage) {
        let sender = self.sender.clone();
        if self.running.len() >= MOST {
            tracing::warn!(tool = invocation.tool_name, "a tool is refused: {MOST} are running already");
            // Refusals wait to be sent as well. A server that goes on when as many wait gets no answer.
            if self.running.len() < 2 * MOST {
                let complaint = "this client runs too many tools already; try again";
                let refusal = answer(failed(invocation.invocation_id.clone(), complaint));
                self.running.spawn(async move {
                    let _ = sender.message(refusal).await;
                });
            }
            return;
        }
        let running = self.tools.run(invocation.clone());
        self.running.spawn(async move {
            let result = answer(running.await);
            // That the call is over is told by the events, with the reason.
            let _ = sender.message(result).await;
        });
    }
}
