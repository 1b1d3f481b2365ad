//! What an account sets up beside agents: webhooks and the like.

use serde_json::{Value, json};

use crate::server::{Server, id, said};

#[test]
fn webhooks_are_created_changed_and_deleted_and_show_what_they_delivered() {
    let server = Server::start("webhooks");
    let webhook = server.one(&[
        "webhooks",
        "create",
        "--set",
        "url=https://example.com/calls",
        "--set",
        "events=[\"call.ended\", \"call.started\"]",
    ]);
    let webhook_id = id(&webhook, "webhookId");
    assert!(webhook["secrets"][0].as_str().is_some_and(|secret| !secret.is_empty()), "one is made");
    let table = server.run(&["webhooks", "list"]);
    assert!(table.contains("call.started, call.ended") && table.contains("normal"), "{table}");
    let changed = server.one(&["webhooks", "update", webhook_id, "--set", "events=[\"call.joined\"]"]);
    assert_eq!((&changed["events"], &changed["secrets"]), (&json!(["call.joined"]), &webhook["secrets"]));
    assert_eq!(server.json(&["webhooks", "deliveries", webhook_id]), Vec::<Value>::new());
    server.run(&["webhooks", "delete", webhook_id, "--yes"]);
    assert_eq!(server.json(&["webhooks", "list"]), Vec::<Value>::new());
}

#[test]
fn the_account_says_what_it_has_and_has_used() {
    let server = Server::start("account");
    server.run(&["calls", "create"]);
    let account = server.one(&["account", "show"]);
    assert_eq!(account["activeCalls"], 1);
    assert!(server.run(&["account", "show"]).contains("activeCalls"));
    let usage = server.run(&["account", "usage"]);
    assert_eq!(usage.lines().next().unwrap().split_whitespace().next(), Some("DAY"), "{usage}");
    assert_eq!(server.one(&["account", "usage"])["allTime"]["totalCount"], 1);
    let concurrency = server.json(&["account", "concurrency", "--bucket", "hour"]);
    assert!(concurrency.iter().any(|point| point["maxTotalCalls"] == 1), "{concurrency:?}");
    assert!(server.fail(2, &["account", "concurrency", "--bucket", "week"]).contains("bucket: "));
    let none = server.command(&["account", "invoices", "--all"]).output().unwrap();
    assert_eq!((none.status.code(), said(&none)), (Some(0), "there are no invoices\n".to_owned()));
}

#[test]
fn a_key_is_made_once_used_and_revoked_for_good() {
    let server = Server::start("keys");
    let key = server.one(&["keys", "create", "night shift", "--expires", "2999-01-01T00:00:00Z"]);
    let (secret, prefix) = (id(&key, "secret"), id(&key, "prefix"));
    let with_it = || {
        let mut command = server.command(&["keys", "get", prefix, "--json"]);
        command.env("ANTIPHON_API_KEY", secret).output().unwrap()
    };
    let seen = with_it();
    assert!(seen.status.success());
    assert!(!String::from_utf8(seen.stdout).unwrap().contains(secret));
    let table = server.run(&["keys", "list"]);
    assert!(
        table.contains("night shift") && table.contains("2999-01-01") && !table.contains(secret),
        "{table}"
    );
    assert_eq!(server.one(&["keys", "revoke", prefix])["revoked"], true);
    assert_eq!(with_it().status.code(), Some(1));
    assert!(server.run(&["keys", "list"]).contains("yes"), "it is listed as revoked");

    std::fs::write(server.directory.join("lmnt.txt"), "0123456789abcdef").unwrap();
    let keys = server.one(&["account", "tts-keys", "--set", "lmnt=@lmnt.txt"]);
    assert!("0123456789abcdef".starts_with(id(&keys["lmnt"], "prefix")));
    assert_eq!(server.one(&["account", "tts-keys"]), keys);
    assert_eq!(server.one(&["account", "tts-keys", "--set", "lmnt=null"]), json!({}));
}
