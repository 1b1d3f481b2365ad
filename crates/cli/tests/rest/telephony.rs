//! How calls come in by telephone: SIP, registrations, and accounts at providers.

use serde_json::{Value, json};

use crate::server::{Server, id, said};

#[test]
fn sip_is_shown_and_changed_and_registrations_come_and_go() {
    let server = Server::start("sip");
    let before = server.one(&["sip", "get"]);
    assert_eq!(before["allowAllAgents"], false);
    let changed = server.one(&[
        "sip",
        "update",
        "--set",
        "allowedCidrRanges=[\"192.0.2.0/24\"]",
        "--set",
        "allowAllAgents=true",
    ]);
    assert_eq!(
        (&changed["allowedCidrRanges"], &changed["allowAllAgents"]),
        (&json!(["192.0.2.0/24"]), &json!(true))
    );
    assert_eq!(server.one(&["sip", "get"]), changed);
    let refused = server.fail(1, &["sip", "update", "--set", "allowedCidrRanges=[\"192.0.2.1/24\"]"]);
    assert!(refused.contains("allowedCidrRanges[0]"), "{refused}");

    std::fs::write(server.directory.join("password.txt"), "s3cret-word").unwrap();
    let create = [
        "sip",
        "registrations",
        "create",
        "--set",
        "username=alice",
        "--set",
        "password=@password.txt",
        "--set",
        "proxy=sip.example.com",
    ];
    let made = server.one(&create);
    let made_id = id(&made, "registrationId");
    assert!(!made.to_string().contains("s3cret-word"), "{made}");
    let moved = server.one(&["sip", "registrations", "update", made_id, "--set", "proxy=other.example.com"]);
    assert_eq!((&moved["proxy"], &moved["username"]), (&json!("other.example.com"), &json!("alice")));
    assert_eq!(server.one(&["sip", "registrations", "get", made_id]), moved);
    let table = server.run(&["sip", "registrations", "list"]);
    assert!(table.contains("alice") && table.contains("other.example.com"), "{table}");
    assert!(!table.contains("s3cret-word"), "{table}");
    let gone = server.command(&["sip", "registrations", "delete", made_id]).output().unwrap();
    assert_eq!(said(&gone), format!("deleted registration {made_id}\n"));
    assert_eq!(server.json(&["sip", "registrations", "list"]), Vec::<Value>::new());
}

#[test]
fn accounts_at_providers_are_set_changed_and_deleted_and_keep_their_secrets() {
    let server = Server::start("telephony");
    let nothing = server.fail(1, &["telephony", "get", "twilio"]);
    assert!(nothing.contains("(status 404)"), "{nothing}");
    let token = "0123456789abcdef0123456789abcdef";
    std::fs::write(server.directory.join("token.txt"), token).unwrap();
    let account = "accountSid=ACfedcba9876543210fedcba9876543210";
    let set = server.one(&["telephony", "set", "twilio", "--set", account, "--set", "authToken=@token.txt"]);
    assert!(!set.to_string().contains(token), "{set}");
    assert!(token.starts_with(id(&set["authTokenPrefix"], "prefix")), "{set}");
    let changed = server.one(&["telephony", "update", "twilio", "--set", "callCreationAllowAllAgents=true"]);
    assert_eq!(
        (&changed["callCreationAllowAllAgents"], &changed["accountSid"]),
        (&json!(true), &set["accountSid"])
    );
    assert_eq!(server.one(&["telephony", "get", "twilio"]), changed);
    let shown = server.run(&["telephony", "get", "twilio"]);
    assert!(shown.contains("callCreationAllowAllAgents") && !shown.contains(token), "{shown}");
    for provider in ["plivo", "telnyx"] {
        assert!(server.fail(1, &["telephony", "get", provider]).contains("(status 404)"), "each by itself");
        assert!(server.fail(2, &["telephony", "set", provider]).contains("is missing"));
    }
    assert!(server.fail(2, &["telephony", "update", "twilio"]).contains("nothing is to be changed"));
    assert!(
        server.fail(2, &["telephony", "get", "nexmo"]).contains("[possible values: plivo, telnyx, twilio]")
    );
    let gone = server.command(&["telephony", "delete", "twilio"]).output().unwrap();
    assert_eq!(said(&gone), "deleted what was set for Twilio\n");
    assert!(server.fail(1, &["telephony", "get", "twilio"]).contains("(status 404)"));
}
