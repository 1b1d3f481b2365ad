//! `antiphon serve` as an operator meets it: the first start, the second, and the end.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::calls::{ListCalls, ListCallsQuery};
use antiphon_client::rest::{Client, RestError};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A directory of this name without anything in it.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

struct Server {
    process: Child,
    url: String,
    /// All that it says before it is used.
    greeting: Vec<String>,
}

async fn serve(directory: &Path) -> Server {
    let mut process = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("ANTIPHON_LOG", "error")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut greeting = Vec::new();
    while !greeting.last().is_some_and(|line: &String| line.starts_with("Clients of")) {
        greeting.push(lines.next_line().await.unwrap().unwrap());
    }
    let url = greeting[0].strip_prefix("Antiphon listens at ").unwrap().to_owned();
    Server { process, url, greeting }
}

impl Server {
    fn key(&self) -> Option<String> {
        let export = |line: &String| Some(line.trim().strip_prefix("export ANTIPHON_API_KEY=")?.to_owned());
        self.greeting.iter().find_map(export)
    }

    async fn calls(&self, key: &str) -> Result<usize, RestError> {
        let client = Client::builder().url(&self.url).key(key).build().unwrap();
        let page = client.send(ListCalls, &(), &ListCallsQuery::default(), &NoBody).await?;
        Ok(page.results.len())
    }

    /// Asks politely, as a supervisor does, and tells the exit code.
    async fn stop(mut self) -> Option<i32> {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        self.process.wait().await.unwrap().code()
    }
}

#[tokio::test]
async fn the_first_start_shows_a_key_that_works_and_later_ones_show_none() {
    let directory = scratch("serve");
    let first = serve(&directory).await;
    let key = first.key().unwrap();
    assert_eq!(first.calls(&key).await.unwrap(), 0);
    assert!(matches!(first.calls("AAAAAAAA.wrong").await, Err(RestError::Refused { status: 401, .. })));
    assert_eq!(first.stop().await, Some(0));

    let second = serve(&directory).await;
    assert_eq!(second.key(), None);
    assert_eq!(second.calls(&key).await.unwrap(), 0);
    assert_eq!(second.stop().await, Some(0));
}

#[tokio::test]
async fn an_address_in_use_fails_with_what_to_do() {
    let directory = scratch("serve_twice");
    let first = serve(&directory).await;
    let address = first.url.strip_prefix("http://").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["serve", "--listen", address])
        .env_clear()
        .current_dir(&directory)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains(&format!("error: cannot listen on {address}: "))
            && complaint.contains("or set server.listen to another address"),
        "{complaint}"
    );
    assert_eq!(first.stop().await, Some(0));
}
