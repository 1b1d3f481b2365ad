//! The tools that this client runs: programs that read the arguments and write the result.

use std::process::Stdio;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_client::tools::Tool;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// How long a program may run, and the server waits: commands take longer than the 2.5 s that it would wait by itself.
const LONGEST_RUN: Duration = Duration::from_secs(20);
/// Bytes of a program's output that become its result.
const LONGEST_RESULT: u64 = 64 * 1024;
/// Characters of a program's complaint that are passed on.
const LONGEST_COMPLAINT: usize = 1_000;

/// A tool that is a command line for `sh`, described by a JSON Schema of type `object` whose `description` is the tool's. The program
/// is stopped when the tool takes too long or the call is over.
pub(crate) fn program(name: &str, command: &str, schema: &Value) -> Tool {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let command = command.to_owned();
    let run = move |arguments: JsonObject| {
        let command = command.clone();
        async move { run_program(&command, &arguments).await }
    };
    Tool::untyped(name, description, schema, run).timeout(LONGEST_RUN)
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
    let (output, complaint, status) = running.await;
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
    use antiphon_api::realtime::{ToolErrorType, ToolInvocation, ToolResult};
    use antiphon_client::tools::Tools;
    use serde_json::json;

    use super::*;

    async fn run(command: &str) -> ToolResult {
        let mut tools = Tools::new();
        tools.add(program("t", command, &json!({}))).unwrap();
        let invocation = ToolInvocation {
            tool_name: "t".into(),
            invocation_id: "call_1".into(),
            parameters: JsonObject::from_iter([("word".to_owned(), "Brot & Käse".into())]),
        };
        tools.run(invocation).await
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
}
