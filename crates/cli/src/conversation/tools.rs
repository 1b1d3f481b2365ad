//! The tools that this client runs: programs that read the arguments and write the result, and answers that are built in.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{ToolErrorType, ToolInvocation, ToolResult};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// How long a program may run: what the protocol allows a tool at most (protocol.md 6.7).
pub(crate) const LONGEST_RUN: Duration = Duration::from_secs(40);
/// Bytes of a program's output that become its result.
const LONGEST_RESULT: u64 = 64 * 1024;
/// Characters of a program's complaint that are passed on.
const LONGEST_COMPLAINT: usize = 1_000;

/// What runs when the agent calls a tool.
#[derive(Clone)]
pub(crate) enum Tool {
    /// Something in this program.
    BuiltIn(Arc<dyn Fn(&JsonObject) -> String + Send + Sync>),
    /// A command line for `sh`.
    Program(String),
}

/// Tools by the names that the model knows them by.
#[derive(Clone, Default)]
pub(crate) struct Tools(pub(crate) BTreeMap<String, Tool>);

impl Tools {
    /// Runs a tool and tells its name and what it came to. Stops the program when dropped.
    pub(crate) fn run(
        &self,
        invocation: ToolInvocation,
    ) -> impl Future<Output = (String, ToolResult)> + Send + 'static {
        let tool = self.0.get(&invocation.tool_name).cloned();
        async move {
            let id = invocation.invocation_id.clone();
            let result = match tool {
                Some(Tool::BuiltIn(answer)) => ToolResult::new(id, answer(&invocation.parameters)),
                Some(Tool::Program(command)) => match run_program(&command, &invocation.parameters).await {
                    Ok(output) => ToolResult::new(id, output),
                    Err(complaint) => ToolResult::failed(id, ToolErrorType::ImplementationError, complaint),
                },
                None => {
                    let complaint = format!("this client has no tool {:?}", invocation.tool_name);
                    ToolResult::failed(id, ToolErrorType::Undefined, complaint)
                }
            };
            (invocation.tool_name, result)
        }
    }
}

/// What an invocation comes to while too many others are under way.
pub(crate) fn too_many(invocation: &ToolInvocation) -> ToolResult {
    let complaint = "this client runs too many tools already; try again";
    ToolResult::failed(invocation.invocation_id.clone(), ToolErrorType::ImplementationError, complaint)
}

async fn run_program(command: &str, arguments: &JsonObject) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run sh: {error}"))?;
    let mut input = child.stdin.take().expect("it is piped");
    let output = child.stdout.take().expect("it is piped");
    let complaints = child.stderr.take().expect("it is piped");
    let arguments = serde_json::to_vec(arguments).expect("a JSON object has string keys");
    let running = async {
        // A program need not read its arguments.
        let feeding = async {
            let _ = input.write_all(&arguments).await;
            drop(input);
        };
        let ((), output, complaint, status) =
            tokio::join!(feeding, text(output), text(complaints), child.wait());
        (output, complaint, status)
    };
    let (output, complaint, status) = tokio::time::timeout(LONGEST_RUN, running)
        .await
        .map_err(|_| format!("the tool ran for more than {} s", LONGEST_RUN.as_secs()))?;
    let status = status.map_err(|error| format!("the tool was lost: {error}"))?;
    if status.success() {
        return Ok(output);
    }
    let complaint: String = complaint.chars().take(LONGEST_COMPLAINT).collect();
    Err(if complaint.is_empty() { format!("the tool failed with {status}") } else { complaint })
}

/// All text that comes, of which the first part is kept. Reading on lets the program write on.
async fn text(mut stream: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    // What cannot be read any more is not there.
    let _ = (&mut stream).take(LONGEST_RESULT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &str) -> ToolResult {
        let tools = Tools(BTreeMap::from([("t".to_owned(), Tool::Program(command.to_owned()))]));
        let invocation = ToolInvocation {
            tool_name: "t".into(),
            invocation_id: "call_1".into(),
            parameters: JsonObject::from_iter([("word".to_owned(), "Brot & Käse".into())]),
        };
        tools.run(invocation).await.1
    }

    #[tokio::test]
    async fn a_program_reads_the_arguments_and_writes_the_result() {
        assert_eq!(run("cat").await, ToolResult::new("call_1", r#"{"word":"Brot & Käse"}"#));
        assert_eq!(run("echo ' hi '").await, ToolResult::new("call_1", "hi"));
    }

    #[tokio::test]
    async fn a_program_that_fails_says_why() {
        let failed = |why: &str| ToolResult::failed("call_1", ToolErrorType::ImplementationError, why);
        assert_eq!(run("echo no luck >&2; exit 3").await, failed("no luck"));
        assert_eq!(run("exit 3").await, failed("the tool failed with exit status: 3"));
    }

    #[tokio::test]
    async fn endless_output_is_cut_and_the_program_still_ends() {
        let result = run("head -c 1000000 /dev/zero | tr '\\0' x").await;
        assert_eq!(result.result.unwrap().0.len() as u64, LONGEST_RESULT);
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_is_undefined() {
        let invocation = ToolInvocation {
            tool_name: "x".into(),
            invocation_id: "call_1".into(),
            parameters: JsonObject::new(),
        };
        let (_, result) = Tools::default().run(invocation).await;
        assert_eq!(
            result,
            ToolResult::failed("call_1", ToolErrorType::Undefined, "this client has no tool \"x\"")
        );
    }
}
