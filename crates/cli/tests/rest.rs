//! The commands over the REST API: the real program against a real server on loopback.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const CONFIG: &str = "[voices.hum]\ntype = \"scripted\"\nms_per_character = 2\nclones = true\n";

/// A server of a test's own, and the directory that it runs in.
struct Server {
    process: Child,
    directory: PathBuf,
    url: String,
    key: String,
}

impl Server {
    fn start(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rest_{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("antiphon.toml"), CONFIG).unwrap();
        let mut process = antiphon(&directory)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ANTIPHON_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()))
            .map(Result::unwrap);
        let url = lines.next().unwrap().strip_prefix("Antiphon listens at ").unwrap().to_owned();
        let export = |line: String| Some(line.trim().strip_prefix("export ANTIPHON_API_KEY=")?.to_owned());
        let key = lines.find_map(export).unwrap();
        lines.find(|line| line.starts_with("Clients of")).unwrap();
        Self { process, directory, url, key }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = antiphon(&self.directory);
        command.args(args).env("ANTIPHON_URL", &self.url).env("ANTIPHON_API_KEY", &self.key);
        command
    }

    /// Runs a command that succeeds, and returns what it prints.
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON, an object a line.
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let text = self.run(&[args, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that fails with this code, and returns what it says of that.
    fn fail(&self, code: i32, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        said(&output)
    }

    fn one(&self, args: &[&str]) -> Value {
        let mut all = self.json(args);
        assert_eq!(all.len(), 1, "{args:?}");
        all.remove(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program without anything in the environment that could decide for it.
fn antiphon(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(directory);
    command.stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn id<'v>(resource: &'v Value, key: &str) -> &'v str {
    resource[key].as_str().unwrap()
}

#[test]
fn agents_are_created_listed_changed_started_and_deleted() {
    let server = Server::start("agents");
    assert_eq!(server.run(&["agents", "list"]), "");
    std::fs::write(server.directory.join("prompt.txt"), "You bake.\nYou are kind.\n").unwrap();
    let agent = server.one(&[
        "agents",
        "create",
        "--set",
        "name=Baker",
        "--set",
        "callTemplate.systemPrompt=@prompt.txt",
        "--set",
        "callTemplate.temperature=0.5",
    ]);
    assert_eq!(agent["callTemplate"]["systemPrompt"], "You bake.\nYou are kind.\n");
    assert_eq!(agent["callTemplate"]["temperature"], 0.5);
    let agent_id = id(&agent, "agentId");

    let mut creating = server.command(&["agents", "create", "--file", "-"]);
    let mut creating = creating.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    creating.stdin.take().unwrap().write_all(br#"{"name": "Butcher"}"#).unwrap();
    let created = creating.wait_with_output().unwrap();
    assert!(created.status.success());
    assert!(String::from_utf8(created.stdout).unwrap().contains("Butcher"));

    let table = server.run(&["agents", "list", "--sort", "name"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let titles: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(titles, ["AGENT", "NAME", "CALLS", "CHANGED", "CREATED"]);
    assert!(
        lines[1].starts_with(agent_id) && lines[1].contains("Baker") && lines[2].contains("Butcher"),
        "{table}"
    );
    assert_eq!(server.one(&["agents", "list", "--search", "BAK"]), agent);

    let changed = server.one(&["agents", "update", agent_id, "--set", "callTemplate.temperature=null"]);
    assert_eq!(changed["callTemplate"]["temperature"], Value::Null);
    assert_eq!(changed["callTemplate"]["systemPrompt"], agent["callTemplate"]["systemPrompt"]);

    let call = server.one(&["agents", "start", agent_id, "--set", "metadata.order=\"7\""]);
    assert_eq!((&call["agentId"], &call["metadata"]["order"]), (&agent["agentId"], &json!("7")));
    assert!(id(&call, "joinUrl").starts_with("ws"));
    assert_eq!(server.one(&["agents", "calls", agent_id])["callId"], call["callId"]);
    let usage = server.run(&["agents", "usage"]);
    assert!(usage.lines().nth(1).unwrap().contains("Baker"), "{usage}");

    let shown = server.run(&["agents", "get", agent_id]);
    assert!(shown.contains("name                 Baker\n"), "{shown}");
    assert!(shown.contains("\n  systemPrompt\n    You bake.\n    You are kind.\n"), "{shown}");

    let output = server.command(&["agents", "delete", agent_id]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(said(&output), format!("deleted agent {agent_id}\n"));
    let gone = server.fail(1, &["agents", "get", agent_id]);
    assert!(gone.starts_with("error: there is no such agent (status 404)\n  request "), "{gone}");
}

#[test]
fn a_list_shows_a_part_and_says_how_much_there_is() {
    let server = Server::start("lists");
    for name in 0..5 {
        server.run(&["agents", "create", "--set", &format!("name=\"{name}\"")]);
    }
    let part = server.command(&["agents", "list", "--limit", "2"]).output().unwrap();
    assert_eq!(String::from_utf8(part.stdout.clone()).unwrap().lines().count(), 3);
    assert_eq!(said(&part), "2 of 5 agents; --limit N shows more, --all all of them\n");
    let names = |agents: &[Value]| agents.iter().map(|agent| agent["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&server.json(&["agents", "list", "--limit", "2"])), ["4", "3"]);
    assert_eq!(
        names(&server.json(&["agents", "list", "--all", "--sort", "created"])),
        ["0", "1", "2", "3", "4"]
    );
    let none = server.command(&["agents", "list", "--search", "nobody"]).output().unwrap();
    assert_eq!((said(&none).as_str(), none.stdout.len()), ("there are no agents\n", 0));
}

#[test]
fn calls_are_created_looked_at_and_deleted() {
    let server = Server::start("calls");
    let call = server.one(&["calls", "create", "--set", "systemPrompt=Be brief.", "--set", "voice=nobody"]);
    let call_id = id(&call, "callId");
    assert_eq!(server.one(&["calls", "get", call_id])["systemPrompt"], "Be brief.");
    assert_eq!(server.one(&["calls", "list", "--search", call_id])["callId"], call["callId"]);
    assert_eq!(server.json(&["calls", "list", "--metadata", "a=b"]), Vec::<Value>::new());
    let events = loop {
        // The record is written behind the call's back.
        let events = server.run(&["calls", "events", call_id, "--severity", "warning"]);
        if !events.is_empty() {
            break events;
        }
    };
    assert!(
        events.contains("voice.unknown") && events.contains("\"nobody\" is not on this server"),
        "{events}"
    );
    assert_eq!(server.one(&["calls", "stages", call_id])["systemPrompt"], "Be brief.");
    assert_eq!(server.json(&["calls", "messages", call_id]), Vec::<Value>::new());
    assert_eq!(server.json(&["calls", "tools", call_id]), Vec::<Value>::new());

    for verb in [
        &["calls", "hang-up", call_id][..],
        &["calls", "say", call_id, "Hi"],
        &["calls", "tell", call_id, "Hi"],
    ] {
        let refused = server.fail(1, verb);
        assert!(refused.contains("(status 422)"), "{refused}");
    }
    let refused = server.fail(1, &["calls", "delete", call_id]);
    assert!(refused.contains("(status 425)"), "{refused}");
    let refused = server.fail(1, &["calls", "recording", call_id]);
    assert!(refused.contains("(status 4"), "{refused}");
    let left: Vec<_> =
        std::fs::read_dir(&server.directory).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".wav")), "{left:?}");
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".partial")), "{left:?}");
}

#[test]
fn tools_are_made_of_files_and_documents_and_changed_in_part() {
    let server = Server::start("tools");
    std::fs::write(
        server.directory.join("tool.json"),
        json!({"name": "look", "definition": {
            "description": "Looks.", "http": {"baseUrlPattern": "http://127.0.0.1:1/x", "httpMethod": "GET"},
        }})
        .to_string(),
    )
    .unwrap();
    let tool = server.one(&["tools", "create", "--file", "tool.json", "--set", "definition.timeout=3s"]);
    let tool_id = id(&tool, "toolId");
    let changed = server.one(&["tools", "update", tool_id, "--set", "definition.timeout=5s"]);
    assert_eq!(changed["definition"]["timeout"], "5s");
    assert_eq!(changed["definition"]["description"], "Looks.");
    let document = "openapi: 3.0.0\ninfo: {title: Shop, version: '1'}\nservers: [{url: 'https://shop.example.com'}]\n\
                    paths:\n  /orders:\n    get: {operationId: orders, description: Lists orders., responses: {}}\n";
    std::fs::write(server.directory.join("shop.yaml"), document).unwrap();
    assert_eq!(server.one(&["tools", "create", "--openapi", "shop.yaml"])["name"], "orders");
    let table = server.run(&["tools", "list", "--ownership", "private", "--sort", "alphabetic"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[1].contains("look ") && lines[1].contains("Looks.") && lines[2].contains("orders"),
        "{table}"
    );
    assert_eq!(server.json(&["tools", "history", tool_id]), Vec::<Value>::new());
    let refused = server.fail(1, &["tools", "test", tool_id]);
    assert!(refused.starts_with("error: "), "{refused}");
    server.run(&["tools", "delete", tool_id, "--yes"]);
    assert_eq!(server.json(&["tools", "list", "--search", "Looks."]), Vec::<Value>::new());
}

#[test]
fn voices_are_registered_cloned_and_heard() {
    let server = Server::start("voices");
    let lily =
        server.one(&["voices", "create", "--set", "name=Lily", "--set", "definition.lmnt.voiceId=lily"]);
    assert_eq!(lily["provider"], "lmnt");
    std::fs::write(server.directory.join("me.wav"), b"RIFF\x24\0\0\0WAVEfmt me").unwrap();
    let me = server.one(&["voices", "clone", "me.wav", "--name", "Me", "--language", "en-GB"]);
    assert_eq!((&me["ownership"], &me["primaryLanguage"]), (&json!("private"), &json!("en-GB")));
    let me_id = id(&me, "voiceId");
    server.run(&["voices", "update", me_id, "--set", "description=mine"]);
    let table = server.run(&["voices", "list", "--ownership", "private"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("mine") && table.contains("lmnt"), "{table}");

    server.run(&["voices", "preview", me_id]);
    let heard = std::fs::read(server.directory.join(format!("{me_id}.wav"))).unwrap();
    assert!(heard.starts_with(b"RIFF") && heard.len() > 1_000);
    let again = server.fail(2, &["voices", "preview", me_id]);
    assert!(again.contains("is there already; name another file with --output, or add --force"), "{again}");
    server.run(&["voices", "preview", me_id, "--force"]);
    let piped = server.command(&["voices", "preview", me_id, "--output", "-"]).output().unwrap();
    assert_eq!(piped.stdout, heard);
    let mute = server.fail(1, &["voices", "preview", id(&lily, "voiceId"), "--output", "lily.wav"]);
    assert!(mute.contains("no backend for lmnt voices"), "{mute}");
    assert!(!server.directory.join("lily.wav").exists());

    server.run(&["voices", "delete", me_id, id(&lily, "voiceId")]);
    assert_eq!(server.json(&["voices", "list", "--ownership", "private"]), Vec::<Value>::new());
    assert!(server.run(&["models"]).contains("ultravox-v0.7"));
}

#[test]
fn mistakes_are_told_with_the_field_and_before_anything_is_sent() {
    let server = Server::start("mistakes");
    for (args, complaint) in [
        (&["agents", "create", "--set", "nme=Baker"][..], "fields that mean nothing: nme; leave them out"),
        (
            &["agents", "create", "--set", "callTemplate.temperature=2", "--set", "name=7"],
            "\n  callTemplate.temperature: 2 is out of range; choose from 0 to 1",
        ),
        (&["agents", "create", "--file", "nothing.json"], "cannot read nothing.json"),
        (&["agents", "create", "--file", "antiphon.toml"], "antiphon.toml is not JSON"),
        (&["agents", "update", "00000000-0000-0000-0000-000000000001"], "nothing is to be changed"),
        (&["agents", "get", "me"], "invalid value 'me'"),
        (&["agents", "list", "--sort", "age"], "\n  sort: "),
        (&["calls", "list", "--from", "yesterday"], "\n  fromDate: "),
        (&["calls", "list", "--metadata", "a"], "--metadata \"a\" must be KEY=VALUE"),
        (&["agents", "list", "--url", "ftp://x"], "the server's URL cannot be used"),
    ] {
        let said = server.fail(2, args);
        assert!(said.contains(complaint), "{args:?}: {said}");
    }
    // What only the server knows.
    let refused =
        server.fail(1, &["voices", "create", "--set", "name=Lily", "--set", "definition.lmnt.model=x"]);
    assert!(
        refused.starts_with(
            "error: the server refused the request (status 400)\n  definition.lmnt.voiceId: is missing"
        ),
        "{refused}"
    );
    let output =
        server.command(&["agents", "list"]).env("ANTIPHON_API_KEY", "AAAAAAAA.wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("does not know the API key"), "{}", said(&output));
    let output = server.command(&["agents", "list"]).env_remove("ANTIPHON_API_KEY").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("set ANTIPHON_API_KEY"), "{}", said(&output));
    let output =
        server.command(&["agents", "list"]).env("ANTIPHON_URL", "http://127.0.0.1:1").output().unwrap();
    assert!(said(&output).contains("cannot be reached"), "{}", said(&output));
}
