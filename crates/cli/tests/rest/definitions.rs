//! Agents, tools and voices: what calls are made of.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::server::{Server, id, said};

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
    assert!(mute.contains("there is no key for LMNT"), "{mute}");
    assert!(!server.directory.join("lily.wav").exists());

    server.run(&["voices", "delete", me_id, id(&lily, "voiceId")]);
    assert_eq!(server.json(&["voices", "list", "--ownership", "private"]), Vec::<Value>::new());
    assert!(server.run(&["models"]).contains("ultravox-v0.7"));
}
