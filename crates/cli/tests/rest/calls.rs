//! Calls, and lists that are longer than what is shown of them.

use serde_json::Value;

use crate::server::{Server, id, said};

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
    let stages = server.json(&["calls", "stages", call_id]);
    let stage = id(&stages[0], "callStageId");
    assert_eq!(server.one(&["calls", "stage", call_id, stage]), stages[0]);
    assert_eq!(server.json(&["calls", "messages", call_id, "--stage", stage]), Vec::<Value>::new());
    assert_eq!(server.json(&["calls", "tools", call_id, "--stage", stage]), Vec::<Value>::new());
    let mute = server.fail(1, &["calls", "audio", call_id, stage, "0", "--output", "it.wav"]);
    assert!(mute.contains("(status 4"), "{mute}");
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
fn what_is_left_of_a_deleted_call_is_listed_and_shown() {
    let server = Server::start("deleted");
    let call = server.one(&["calls", "create", "--set", "joinTimeout=0.1s"]);
    let call_id = id(&call, "callId");
    while server.one(&["calls", "get", call_id])["ended"].is_null() {}
    // It may still be summed up and told of.
    while !server.command(&["calls", "delete", call_id]).output().unwrap().status.success() {}
    let stone = server.one(&["calls", "deleted", call_id]);
    assert_eq!((&stone["callId"], &stone["endReason"]), (&call["callId"], &serde_json::json!("unjoined")));
    assert_eq!(server.one(&["calls", "deleted"]), stone);
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
