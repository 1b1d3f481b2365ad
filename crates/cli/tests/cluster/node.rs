//! One of the servers: a process, and what it answers.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const KEY: &str = "cluster0.0123456789abcdef0123456789abcdef";

/// No files are shared: everything that nodes have in common is in the database.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
drain_deadline = "2m"

[[auth.api_keys]]
name = "test"
key = "cluster0.0123456789abcdef0123456789abcdef"

[calls]
default_medium = "serverWebSocket"
rejoin_window = "60s"

[limits]
requests_per_second = 0
requests_per_second_per_key = 0

[outbound]
allow = ["127.0.0.1"]

[summaries]
enabled = "never"
"#;

pub(crate) struct Node {
    pub(crate) address: String,
    process: Child,
}

impl Node {
    pub(crate) async fn start(name: &str, database: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cluster").join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("antiphon.toml"), CONFIG).unwrap();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_antiphon"))
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ANTIPHON_STORAGE__URL", database)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the server starts; see its log");
        let address = first.strip_prefix("Antiphon listens at http://").unwrap().to_owned();
        // Whatever else it says has to go somewhere.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        Self { address, process }
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    pub(crate) async fn exited(&mut self) -> Option<i32> {
        self.process.wait().await.unwrap().code()
    }

    /// Waits until the server says that it takes new calls, or that it does not.
    pub(crate) async fn until_ready(&self, status: u16) {
        while self.ask("GET", "/readyz", None).await.0 != status {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        loop {
            let (status, answer) = self.ask("GET", path, None).await;
            // The database comes back, and not for all connections at once.
            if status != 503 {
                assert_eq!(status, 200, "{path}: {answer}");
                return body(&answer);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Posts, and gives the whole answer, which has this status.
    pub(crate) async fn post(&self, path: &str, what: Value, wanted: u16) -> String {
        let (status, answer) = self.ask("POST", path, Some(what)).await;
        assert_eq!(status, wanted, "{path}: {answer}");
        answer
    }

    /// A new call, by its id.
    pub(crate) async fn create(&self) -> String {
        let request = json!({
            "systemPrompt": "You are a friendly clerk.",
            "firstSpeakerSettings": {"user": {}},
            "joinTimeout": "120s",
        });
        let answer = self.post("/api/calls", request, 201).await;
        body(&answer)["callId"].as_str().unwrap().to_owned()
    }

    /// A call's record, once it has ended.
    pub(crate) async fn ended(&self, call: &str) -> Value {
        loop {
            let record = self.get(&format!("/api/calls/{call}")).await;
            if !record["ended"].is_null() {
                return record;
            }
            tokio::task::yield_now().await;
        }
    }

    /// How much was said in a call, by its record.
    pub(crate) async fn messages(&self, call: &str) -> usize {
        let page = self.get(&format!("/api/calls/{call}/messages?pageSize=100")).await;
        page["results"].as_array().unwrap().len()
    }

    /// The status and all of the answer.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        read.expect("an answer").unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
