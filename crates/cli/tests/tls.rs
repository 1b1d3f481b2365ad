//! The server speaking TLS itself, over real sockets: whom its certificate convinces, what is wrong with files that are refused, and
//! renewing it under calls that go on.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "support/app.rs"]
mod app;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, StartCallRequest};
use antiphon_audio::SampleRate;
use antiphon_client::Authorities;
use antiphon_client::realtime::{ConnectError, Event, Events, Options, Sender, connect, medium};
use antiphon_client::rest::{Client, RestError};
use antiphon_server::app::Running;
use antiphon_server::config::{Config, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A directory of this name without anything in it.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// An authority of one's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn trusted(&self) -> Authorities {
        Authorities::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// Writes a certificate for `localhost` and its key to `cert.pem` and `key.pem`.
    fn issue(&self, directory: &Path, change: impl FnOnce(&mut CertificateParams)) -> Tls {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let files = Tls { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// A server under this certificate, where clients reach it, and a key for it.
async fn start(name: &str, tls: &Tls, change: impl FnOnce(&mut Config)) -> (Running, String, String) {
    let (running, _, key) = app::start(name, |config| {
        config.server.tls = Some(tls.clone());
        change(config);
    })
    .await;
    assert_eq!(running.public_url().to_string(), format!("https://{}", running.local_addr()));
    let url = format!("https://localhost:{}", running.local_addr().port());
    (running, url, key)
}

/// Creates a call and joins it, as somebody who trusts these.
async fn join(url: &str, key: &str, trusted: &Authorities) -> (Sender, Events) {
    let client = Client::builder().url(url).key(key).authorities(trusted.clone()).build().unwrap();
    let rate = SampleRate::EAR;
    let request =
        StartCallRequest { medium: Some(medium(rate, rate, Duration::ZERO)), ..StartCallRequest::default() };
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await.unwrap();
    let join_url = call.join_url.unwrap();
    assert!(join_url.starts_with("wss://127.0.0.1:"), "{join_url}");
    let options = Options { authorities: Some(trusted.clone()), ..Options::default() };
    connect(&join_url.replace("127.0.0.1", "localhost"), &options).await.unwrap()
}

/// Waits until the agent is heard.
async fn until_heard(events: &mut Events) {
    while !matches!(events.next().await.unwrap(), Event::Audio(_)) {}
}

#[tokio::test]
async fn rest_and_calls_go_over_tls_for_those_who_trust_the_authority_and_nobody_else() {
    let (ours, another) = (Authority::new(), Authority::new());
    let tls = ours.issue(&scratch("tls_trust"), |_| {});
    let (running, url, key) = start("tls_trust", &tls, |_| {}).await;
    let (sender, mut events) = join(&url, &key, &ours.trusted()).await;
    until_heard(&mut events).await;
    sender.close().await;

    for trusted in [None, Some(another.trusted())] {
        let mut client = Client::builder().url(&url).key(&key);
        client = trusted.iter().cloned().fold(client, antiphon_client::rest::ClientBuilder::authorities);
        let request = StartCallRequest::default();
        let refused =
            client.build().unwrap().send(CreateCall, &(), &CreateCallQuery::default(), &request).await;
        assert!(matches!(refused, Err(RestError::Unreachable(_))), "{refused:?}");
        let options = Options { authorities: trusted, ..Options::default() };
        let refused = connect(&format!("{url}/calls/x"), &options).await.err().unwrap();
        let ConnectError::Unreachable(_) = &refused else { panic!("{refused}") };
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_calls_go_on_under_the_old_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let directory = scratch("tls_renewed");
    let tls = old.issue(&directory, |_| {});
    let mut in_force = None;
    let (mut running, url, key) = start("tls_renewed", &tls, |config| in_force = Some(config.clone())).await;
    let (sender, mut events) = join(&url, &key, &old.trusted()).await;
    until_heard(&mut events).await;

    new.issue(&directory, |_| {});
    assert_eq!(running.reload(in_force.unwrap()).await.unwrap().taken_up, ["server.tls"]);
    let (later, mut later_events) = join(&url, &key, &new.trusted()).await;
    until_heard(&mut later_events).await;
    let client = Client::builder().url(&url).key(&key).authorities(old.trusted()).build().unwrap();
    let refused =
        client.send(CreateCall, &(), &CreateCallQuery::default(), &StartCallRequest::default()).await;
    assert!(matches!(refused, Err(RestError::Unreachable(_))), "{refused:?}");

    sender.user_text("Are you still there?").await.unwrap();
    until_heard(&mut events).await;
    for sender in [sender, later] {
        sender.close().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_holds_nobody_up_and_is_closed() {
    let authority = Authority::new();
    let tls = authority.issue(&scratch("tls_silent"), |_| {});
    let (running, url, key) =
        start("tls_silent", &tls, |config| config.connections.header_timeout = Duration::from_secs(1)).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(running.local_addr()).await.unwrap());
    }
    let (sender, mut events) = join(&url, &key, &authority.trusted()).await;
    until_heard(&mut events).await;
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "closed without a word");
    }
    sender.close().await;
    running.stop().await;
}

#[test]
fn files_that_cannot_be_used_are_refused_by_field_and_remedy() {
    let authority = Authority::new();
    let directory = scratch("tls_files");
    let other = scratch("tls_files_other");
    let good = authority.issue(&directory, |_| {});
    let stranger = authority.issue(&other, |_| {});
    let empty = directory.join("empty.pem");
    std::fs::write(&empty, "nothing\n").unwrap();
    let encrypted = directory.join("encrypted.pem");
    std::fs::write(
        &encrypted,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    let cut = directory.join("cut.pem");
    std::fs::write(&cut, "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let nonsense = directory.join("nonsense.pem");
    std::fs::write(&nonsense, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let nowhere = directory.join("nowhere.pem");
    for (certificate, key, field, problem) in [
        (&good.certificate, &good.key, "", ""),
        (&nowhere, &good.key, "certificate", "make it readable for the server, or name another"),
        (&good.certificate, &nowhere, "key", "make it readable for the server, or name another"),
        (&good.key, &good.key, "certificate", "holds no certificate in PEM form"),
        (&empty, &good.key, "certificate", "holds no certificate in PEM form"),
        (&good.certificate, &good.certificate, "key", "holds no private key in PEM form"),
        (&good.certificate, &encrypted, "key", "take its passphrase away with `openssl pkey`"),
        (&good.certificate, &stranger.key, "key", "name the two that were made together"),
        (&cut, &good.key, "certificate", "is no proper PEM file"),
        (&nonsense, &good.key, "certificate", "cannot be used"),
    ] {
        let text = format!("[server.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        let said = match Config::parse("antiphon.toml".as_ref(), &text, []) {
            Ok(_) => String::new(),
            Err(errors) => errors.0[0].to_string(),
        };
        let place = match field {
            "" => String::new(),
            "key" => "antiphon.toml:3: server.tls.key: ".to_owned(),
            field => format!("antiphon.toml:2: server.tls.{field}: "),
        };
        assert!(said.starts_with(&place) && said.contains(problem), "{said}");
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
    }
}

#[test]
fn a_certificate_that_clients_refuse_or_soon_will_is_doubted() {
    let authority = Authority::new();
    let directory = scratch("tls_doubt");
    let now = "2030-05-15T12:00:00Z".parse().unwrap();
    for (from, until, doubt) in [
        ((2030, 1, 1), (2031, 1, 1), None),
        ((2030, 1, 1), (2030, 5, 13), Some("expired 2 days ago")),
        ((2030, 1, 1), (2030, 5, 20), Some("expires in 4 days; renew it and reload the configuration")),
        ((2030, 6, 1), (2060, 1, 1), Some("is valid in 16 days")),
    ] {
        let day = |(year, month, day)| date_time_ymd(year, month, day);
        let files = authority.issue(&directory, |params| {
            (params.not_before, params.not_after) = (day(from), day(until));
        });
        let said = files.identity().unwrap().doubt(now);
        match doubt {
            None => assert_eq!(said, None),
            Some(doubt) => assert!(said.as_ref().is_some_and(|said| said.contains(doubt)), "{said:?}"),
        }
    }
}

#[tokio::test]
async fn the_command_line_trusts_what_it_is_given() {
    let authority = Authority::new();
    let directory = scratch("tls_command");
    let tls = authority.issue(&directory, |_| {});
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, authority.0.pem()).unwrap();
    let (running, url, key) = start("tls_command", &tls, |_| {}).await;
    let run = async |args: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_antiphon"));
        command.args(args).env_clear().env("ANTIPHON_URL", &url).env("ANTIPHON_API_KEY", &key);
        let output = command.stdin(Stdio::null()).output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let path = ca.to_str().unwrap();
    assert_eq!(run(&["models", "--ca", path]).await, (Some(0), String::new()));
    let (code, said) = run(&["models"]).await;
    assert!(code != Some(0) && said.contains("certificate"), "{said}");
    let (code, said) = run(&["models", "--ca", tls.key.to_str().unwrap()]).await;
    assert!(code == Some(2) && said.contains("there is no certificate in it"), "{said}");
    running.stop().await;
}
