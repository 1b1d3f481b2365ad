//! `antiphon doctor` and `antiphon models local` as an operator meets them, with a model on loopback.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of this name without anything in it.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn antiphon(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("CANARY", "sk-canary")
        .current_dir(directory)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A model that thinks, and refuses audio. Gives its base address.
fn model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    base
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, kind, body) = if text(&body).contains("input_audio") {
        ("400 Bad Request", "application/json", r#"{"error":{"message":"no audio here"}}"#.to_owned())
    } else {
        let events = concat!(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm.\"}}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I am.\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n",
        );
        ("200 OK", "text/event-stream", events.to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // The other end may have hung up on purpose.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

#[test]
fn the_doctor_tries_object_storage_out() {
    let directory = scratch("doctor_objects");
    let shared = directory.join("shared");
    // Nobody listens there any more.
    let deserted = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bucket = format!(
        "url = \"s3://box\"\nendpoint = \"http://{deserted}\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"sk-canary\"\n"
    );
    for (objects, works, told) in [
        (format!("url = \"file://{}\"\n", shared.display()), true, "✓ objects file://"),
        (bucket, false, "✗ objects s3://box: cannot put: the object storage s3://box does not do its work"),
    ] {
        let config = format!("[transcription]\ntype = \"none\"\n[objects]\n{objects}");
        std::fs::write(directory.join("antiphon.toml"), config).unwrap();
        let doctor = antiphon(&directory, &["doctor"]);
        let (out, err) = (text(&doctor.stdout), text(&doctor.stderr));
        assert_eq!(doctor.status.success(), works, "{out}{err}");
        assert!(out.contains(told), "{out}");
        assert!(works || out.contains("check objects.endpoint and objects.url"), "{out}");
        assert!(!out.contains("sk-canary") && !err.contains("sk-canary"), "{out}{err}");
    }
    assert_eq!(std::fs::read_dir(shared).unwrap().count(), 0, "nothing stays");
}

#[test]
fn the_doctor_says_what_works_what_does_not_and_what_to_do() {
    let directory = scratch("doctor");
    let base = model();
    std::fs::write(
        directory.join("antiphon.toml"),
        format!(
            "[calls]\ndefault_model = \"here\"\n[models.here]\ntype = \"openai\"\nbase_url = \"{base}\"\nmodel = \"omni\"\n\
             audio = true\n[models.paid]\ntype = \"openai\"\nbase_url = \"{base}\"\nmodel = \"big\"\napi_key_env = \"CANARY\"\n\
             [transcription]\ntype = \"none\"\n"
        ),
    )
    .unwrap();
    let output = antiphon(&directory, &["doctor"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    for wanted in [
        "✓ configuration: is in order",
        "✓ disk .: a synced write takes ",
        "✓ model here: answers; the first token comes after ",
        "! model here: takes audio: no (the model \"omni\" answered 400: no audio here); it is given transcripts",
        "! model here: thinks before it speaks",
        "! model here: counts tokens: no",
        "· model paid: has a key, so asking it may cost money; examine it with --paid",
        "! transcription: nothing makes transcripts",
        "✓ voice kal: the first audio comes after ",
        "a turn with here and kal: end of turn (turnEndpointDelay) 384 ms + transcript unknown + first token ",
    ] {
        assert!(said.contains(wanted), "{wanted} in\n{said}");
    }
    assert!(!said.contains("sk-canary"));

    let listed = text(&antiphon(&directory, &["models", "local"]).stdout);
    for wanted in [
        &format!("* here  omni at {base}; reads (takes no audio); thinks before it speaks"),
        &format!("  paid  big at {base}; reads; not tried out"),
        "  demo  the built-in script; reads",
        "llama-server -hf ggml-org/ultravox",
        "vllm serve fixie-ai/ultravox",
    ] {
        assert!(listed.contains(wanted), "{wanted} in\n{listed}");
    }
}

#[test]
fn the_doctor_fails_where_a_model_cannot_be_reached() {
    let directory = scratch("doctor-unreached");
    std::fs::write(
        directory.join("antiphon.toml"),
        "[models.gone]\ntype = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"x\"\n[transcription]\ntype = \"none\"\n",
    )
    .unwrap();
    let output = antiphon(&directory, &["doctor"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✗ model gone: the model \"x\" cannot be reached"), "{said}");
    assert!(said.contains("`antiphon models local` shows how to start one"), "{said}");
    assert!(text(&output.stderr).contains("something does not work"));
}
