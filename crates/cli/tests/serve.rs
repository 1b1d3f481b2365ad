//! `antiphon serve` as an operator meets it: the first start, the second, and the end.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::calls::{ListCalls, ListCallsQuery};
use antiphon_client::rest::{Client, RestError};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

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
    serve_logging(directory, Some("error"), Stdio::inherit()).await
}

async fn serve_logging(directory: &Path, level: Option<&str>, log: Stdio) -> Server {
    let mut process = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(level.map(|level| ("ANTIPHON_LOG", level)))
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(log)
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

    async fn signal(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Asks politely, as a supervisor does, and tells the exit code.
    async fn stop(mut self) -> Option<i32> {
        self.signal("-TERM").await;
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

/// Runs `antiphon accounts`, and gives its code, what it says and what it complains of.
async fn accounts(directory: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .arg("accounts")
        .args(args)
        .env_clear()
        .current_dir(directory)
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn shown_key(output: &str) -> String {
    let export = |line: &str| Some(line.trim().strip_prefix("export ANTIPHON_API_KEY=")?.to_owned());
    output.lines().find_map(export).unwrap()
}

#[tokio::test]
async fn an_account_that_is_made_beside_the_running_server_can_use_it_at_once() {
    let directory = scratch("accounts");
    let server = serve(&directory).await;
    let (code, made, _) = accounts(&directory, &["create", "acme"]).await;
    assert_eq!(code, Some(0), "{made}");
    let key = shown_key(&made);
    assert_eq!(server.calls(&key).await.unwrap(), 0);

    let (code, _, complaint) = accounts(&directory, &["create", "acme"]).await;
    assert_eq!(code, Some(2));
    assert_eq!(
        complaint.trim(),
        "error: there is an account \"acme\" already; choose another name, or make a key with: antiphon accounts new-key acme"
    );
    let (code, _, complaint) = accounts(&directory, &["create", " acme"]).await;
    assert_eq!((code, complaint.contains("begins and ends with a sign")), (Some(2), true), "{complaint}");
    let (code, _, complaint) = accounts(&directory, &["new-key", "nobody"]).await;
    assert_eq!((code, complaint.contains("no account \"nobody\"")), (Some(2), true), "{complaint}");

    let (code, another, _) = accounts(&directory, &["new-key", "acme"]).await;
    assert_eq!(code, Some(0), "{another}");
    assert_ne!(shown_key(&another), key);
    assert_eq!(server.calls(&shown_key(&another)).await.unwrap(), 0);
    let (_, list, _) = accounts(&directory, &["list"]).await;
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "CREATED", "VALID", "KEYS", "NAME"]);
    let rows: Vec<(&str, &str)> = lines[1..].iter().map(|row| (row[2], row[3])).collect();
    assert_eq!(rows, [("1", "default"), ("2", "acme")]);
    assert!(!list.contains(&key));
    assert_eq!(server.stop().await, Some(0));
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

/// The next line of a log that has this in it.
async fn logged(log: &mut Lines<BufReader<ChildStderr>>, what: &str) -> String {
    loop {
        let line = log.next_line().await.unwrap().unwrap();
        if line.contains(what) {
            return line;
        }
    }
}

#[tokio::test]
async fn a_hang_up_signal_has_the_configuration_taken_up_or_says_what_is_wrong_with_it() {
    let directory = scratch("reload");
    let file = directory.join("antiphon.toml");
    let key = |letter: char| format!("abcd1234.{}", letter.to_string().repeat(32));
    let config =
        |key: &str, rest: &str| format!("[[auth.api_keys]]\nname = \"test\"\nkey = \"{key}\"\n{rest}");
    std::fs::write(&file, config(&key('a'), "")).unwrap();
    let mut server = serve_logging(&directory, None, Stdio::piped()).await;
    let mut log = BufReader::new(server.process.stderr.take().unwrap()).lines();
    assert_eq!(server.calls(&key('a')).await.unwrap(), 0);

    std::fs::write(&file, config(&key('b'), "[log]\nlevel = \"debug\"\n[storage]\npath = \"other.db\"\n"))
        .unwrap();
    server.signal("-HUP").await;
    let warning = logged(&mut log, "restart").await;
    assert!(warning.contains("antiphon.toml:7: storage.path is not what the server runs with"), "{warning}");
    let done = logged(&mut log, "the configuration was read again").await;
    assert!(done.ends_with("taken up: auth.api_keys, log.level"), "{done}");
    assert_eq!(server.calls(&key('b')).await.unwrap(), 0);
    assert!(matches!(server.calls(&key('a')).await, Err(RestError::Refused { status: 401, .. })));
    logged(&mut log, "DEBUG").await;

    for (wrong, place) in [
        ("[calls]\nmaximum_live = 0\n", "antiphon.toml:5: calls.maximum_live: no call could be held"),
        (
            "[models.x]\ntype = \"scripted\"\nscript = \"nowhere.yaml\"\n",
            "antiphon.toml:6: models.x.script: ",
        ),
        ("[calls\n", "antiphon.toml:4: "),
    ] {
        std::fs::write(&file, config(&key('c'), wrong)).unwrap();
        server.signal("-HUP").await;
        let refused = logged(&mut log, "the configuration is not taken up").await;
        assert!(refused.contains("everything stays as it was") && refused.contains(place), "{refused}");
        assert_eq!(server.calls(&key('b')).await.unwrap(), 0);
        assert!(!refused.contains(&key('c')));
    }
    // Somebody has to read the log, or the server cannot write it.
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    assert_eq!(server.stop().await, Some(0));
    reading.await.unwrap();
}
