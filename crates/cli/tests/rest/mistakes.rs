//! What is told of a command line that makes no sense, and of a server that says no.

use crate::server::{Server, said};

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
