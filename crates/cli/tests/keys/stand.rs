//! The server as an operator starts it, what it says to anybody, and calls with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use antiphon_api::endpoint::Method;
use antiphon_api::rest::operations::operations;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::canaries::Canaries;

const KEY: &str = "canary00.0123456789abcdef0123456789abcdef";

pub(crate) struct Stand {
    process: Child,
    directory: PathBuf,
    address: String,
    log: JoinHandle<String>,
    environment: Vec<(String, String)>,
    /// What is where, by the name that it has in paths.
    ids: RefCell<BTreeMap<String, String>>,
    /// Everything that the server answered, by where that was.
    told: RefCell<Vec<(String, String)>>,
}

impl Stand {
    pub(crate) async fn start(config: &str, canaries: &Canaries) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("keys");
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("antiphon.toml"), config).unwrap();
        std::fs::write(directory.join("there.key"), "canary01.0123456789abcdef0123456789abcdef").unwrap();
        for file in &canaries.files {
            std::fs::write(directory.join(file), canaries.of(file)).unwrap();
        }
        let variables = canaries.variables.iter();
        let environment: Vec<_> =
            variables.map(|name| (name.clone(), canaries.of(name).to_owned())).collect();
        let mut command = antiphon(&directory, &environment);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("ANTIPHON_LOG", "trace");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = Vec::new();
            stderr.read_to_end(&mut log).await.unwrap();
            String::from_utf8_lossy(&log).into_owned()
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the server starts");
        let address = first.strip_prefix("Antiphon listens at http://").unwrap().to_owned();
        // Whatever else it says has to go somewhere.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        let (ids, told) = (RefCell::default(), RefCell::default());
        Self { process, directory, address, log, environment, ids, told }
    }

    /// One request; all of the answer, headers included, is kept.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
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
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let json = serde_json::from_str(body).unwrap_or(Value::Null);
        self.told.borrow_mut().push((format!("the answer to {method} {path}"), answer));
        (status, json)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> u16 {
        self.ask("POST", path, Some(body)).await.0
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) {
        let (status, answer) = self.ask("PATCH", path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// Makes something, and keeps its id for the paths that it stands in.
    pub(crate) async fn make(&self, id: &str, path: &str, body: Value) -> String {
        let (status, made) = self.ask("POST", path, Some(body)).await;
        assert_eq!(status, 201, "{path}: {made}");
        let value = made[id].as_str().unwrap().to_owned();
        let snake: String = id
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        self.ids.borrow_mut().insert(snake, value.clone());
        value
    }

    /// A call in which the user writes, perhaps speaks, and hangs up when all was said. Gives its id.
    pub(crate) async fn talk(&self, request: Value, speaks: bool) -> String {
        let (status, call) = self.ask("POST", "/api/calls", Some(request)).await;
        assert_eq!(status, 201, "{call}");
        let (mut socket, _) = connect_async(call["joinUrl"].as_str().unwrap()).await.unwrap();
        let mut said = String::new();
        let mut until = async |wanted: &[&str], socket: &mut tokio_tungstenite::WebSocketStream<_>| loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    said.push_str(&text);
                    said.push('\n');
                    if wanted.iter().all(|wanted| text.contains(wanted)) {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => panic!("the call ended:\n{said}"),
                Some(Ok(_)) => {}
            }
        };
        until(&["\"state\"", "listening"], &mut socket).await;
        if speaks {
            let tone =
                (0..16_000).flat_map(|nth| (if nth % 40 < 20 { 8_000_i16 } else { -8_000 }).to_le_bytes());
            let audio: Vec<u8> = tone.chain(std::iter::repeat_n(0, 64_000)).collect();
            for frame in audio.chunks(640) {
                socket.send(Message::binary(frame.to_vec())).await.unwrap();
            }
        }
        socket
            .send(Message::text(json!({"type": "user_text_message", "text": "Is it ready?"}).to_string()))
            .await
            .unwrap();
        until(&["\"transcript\"", "\"agent\"", "It is ready.", "\"final\":true"], &mut socket).await;
        if speaks {
            // Both recognizers are asked in vain.
            let events =
                format!("/api/calls/{}/events?minimumSeverity=warning", call["callId"].as_str().unwrap());
            while !self.ask("GET", &events, None).await.1.to_string().contains("transcri") {
                tokio::task::yield_now().await;
            }
        }
        socket.send(Message::text(json!({"type": "hang_up"}).to_string())).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                said.push_str(&text);
            }
        }
        let id = call["callId"].as_str().unwrap().to_owned();
        self.told.borrow_mut().push((format!("what the client of {id} was told"), said));
        self.ids.borrow_mut().insert("call_id".to_owned(), id.clone());
        id
    }

    /// Asks for all that can be asked for.
    pub(crate) async fn read_everything(&self, calls: &[String]) {
        let (_, stages) = self.ask("GET", &format!("/api/calls/{}/stages", calls[0]), None).await;
        let stage = stages["results"][0]["callStageId"].as_str().unwrap().to_owned();
        self.ids.borrow_mut().insert("call_stage_id".to_owned(), stage);
        let (_, keys) = self.ask("GET", "/api/api_keys", None).await;
        let prefix = keys["results"][0]["prefix"].as_str().unwrap_or("canary00").to_owned();
        self.ids.borrow_mut().insert("api_key_prefix".to_owned(), prefix);
        let mut read = 0;
        for operation in operations().iter().filter(|operation| operation.method == Method::Get) {
            for call in calls {
                let ids = self.ids.borrow().clone();
                let mut path = operation.path.to_owned();
                for (name, id) in &ids {
                    let id = if name == "call_id" { call } else { id };
                    path = path.replace(&format!("{{{name}}}"), id);
                }
                let of_call = operation.path.contains("{call_id}");
                if path.contains('{') {
                    // What this account has none of.
                    break;
                }
                if path.ends_with("/events") {
                    path.push_str("?minimumSeverity=debug&pageSize=500");
                }
                let (status, _) = self.ask("GET", &path, None).await;
                assert!(status < 500, "{path}");
                read += usize::from(status == 200);
                if !of_call {
                    break;
                }
            }
        }
        assert!(read > 40, "{read} answers");
    }

    /// Runs the program beside the server.
    pub(crate) async fn examine(&self, args: &[&str]) {
        let output = antiphon(&self.directory, &self.environment).args(args).output().await.unwrap();
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        self.told.borrow_mut().push((args.join(" "), said));
    }

    /// Stops the server, and gives everything that it said, by where.
    pub(crate) async fn stop(&mut self) -> Vec<(String, String)> {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        assert_eq!(self.process.wait().await.unwrap().code(), Some(0));
        let mut told = self.told.take();
        told.push(("the log".to_owned(), (&mut self.log).await.unwrap()));
        for journal in std::fs::read_dir(self.directory.join("journals")).unwrap() {
            let bytes = std::fs::read(journal.unwrap().path()).unwrap();
            told.push(("a journal".to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
        told
    }
}

fn antiphon(directory: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(environment.iter().cloned())
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
