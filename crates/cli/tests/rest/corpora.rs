//! Corpora: what agents look things up in.

use serde_json::{Value, json};

use crate::server::{Server, id, said};

#[test]
fn files_are_uploaded_read_queried_and_deleted() {
    let server = Server::start("corpora");
    let corpus =
        server.one(&["corpora", "create", "--set", "name=Manuals", "--set", "description=What we sell."]);
    let corpus_id = id(&corpus, "corpusId");
    let renamed = server.one(&["corpora", "update", corpus_id, "--set", "name=Guides"]);
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("Guides"), &json!("What we sell.")));
    let files = [
        ("oven.md", "# Ovens\n\nAn oven is cleaned with vinegar, never with steel wool.\n"),
        ("mixer.txt", "A mixer has three speeds and a bowl of four litres.\n"),
    ];
    for (name, text) in files {
        std::fs::write(server.directory.join(name), text).unwrap();
    }
    let upload = server.command(&[
        "corpora",
        "upload",
        corpus_id,
        "oven.md",
        "mixer.txt",
        "--name",
        "Shelf",
        "--json",
    ]);
    let upload = { upload }.output().unwrap();
    assert!(upload.status.success(), "{}", said(&upload));
    let source: Value = serde_json::from_slice(&upload.stdout).unwrap();
    let source_id = id(&source, "sourceId");
    assert_eq!(source["name"], "Shelf");
    let path = ["corpora", "sources", "get", corpus_id, source_id];
    let loaded = loop {
        // It is loaded in the background.
        let source = server.one(&path);
        if source["stats"]["status"] == "SOURCE_STATUS_READY" {
            break source;
        }
    };
    assert_eq!(loaded["stats"]["numDocs"], 2);
    let documents = server.json(&["corpora", "documents", corpus_id, source_id]);
    assert_eq!(documents.len(), 2);
    let document =
        server.one(&["corpora", "documents", corpus_id, source_id, id(&documents[0], "documentId")]);
    assert_eq!(document["documentId"], documents[0]["documentId"]);
    let table = server.run(&["corpora", "documents", corpus_id, source_id]);
    assert!(table.contains("text/markdown") && table.contains("text/plain"), "{table}");
    let table = server.run(&["corpora", "list"]);
    assert!(table.contains("Guides") && table.contains("ready"), "{table}");
    assert!(server.run(&["corpora", "sources", "list", corpus_id]).contains("Shelf"));

    let best = server.json(&["corpora", "query", corpus_id, "How do I clean an oven?", "--limit", "1"]);
    assert!(best.len() == 1 && id(&best[0], "content").contains("vinegar"), "{best:?}");
    let nothing = server.command(&["corpora", "query", corpus_id, "zebra"]).output().unwrap();
    assert_eq!(
        (nothing.stdout.len(), said(&nothing)),
        (0, "nothing in the corpus answers that\n".to_owned())
    );

    for (args, complaint) in [
        (&["corpora", "upload", corpus_id, "nothing.txt"][..], "nothing.txt is no file that is there"),
        (
            &["corpora", "upload", corpus_id, "antiphon.toml"],
            "cannot be told by its name; say it with --type",
        ),
        (&["corpora", "query", corpus_id, "x", "--limit", "21"], "maxResults"),
        (&["corpora", "crawl", corpus_id, "ftp://example.com/"], "crawl.startUrls[0]"),
        (&["corpora", "sources", "update", corpus_id, source_id], "nothing is to be changed"),
    ] {
        let output = server.command(args).output().unwrap();
        assert!(!output.status.success() && said(&output).contains(complaint), "{args:?}: {}", said(&output));
    }

    server.run(&["corpora", "sources", "delete", corpus_id, source_id]);
    assert_eq!(server.json(&["corpora", "sources", "list", corpus_id]), Vec::<Value>::new());
    server.run(&["corpora", "delete", corpus_id, "--yes"]);
    assert!(server.fail(1, &["corpora", "get", corpus_id]).contains("(status 404)"));
}
