//! `/api/voices` as a client meets it: voices of providers, cloned ones, and the public ones that nobody can change.

use antiphon_backends::registry::config::{ScriptedVoiceConfig, SpeakerConfig, VoiceConfig};
use antiphon_server::config::Config;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::server::{Answer, Directory, KEY, Server, answer};

/// A generic voice with a secret.
fn generic(name: &str) -> Value {
    json!({"name": name, "description": "warm", "primaryLanguage": "en-GB", "definition": {"generic": {
        "url": "https://example.com/say", "headers": {"X-Key": "s3cret-voice"}, "body": {"say": ["{text}"]},
    }}})
}

/// A configuration with a voice that clones.
fn with_cloning(config: &mut Config) {
    let hum = ScriptedVoiceConfig { clones: true, ..ScriptedVoiceConfig::default() };
    let voice = VoiceConfig { speaker: SpeakerConfig::Scripted(hum), fallbacks: Vec::new() };
    config.voices.insert("hum".to_owned(), voice);
}

/// A WAV file by its first bytes, whose sound is these bytes.
fn wav(sound: &[u8]) -> Vec<u8> {
    [b"RIFF\x24\0\0\0WAVEfmt ", sound].concat()
}

fn form(name: &str, file: Vec<u8>) -> Form {
    Form::new().text("name", name.to_owned()).part("file", Part::bytes(file).file_name("me.wav"))
}

async fn upload(server: &Server, form: Form) -> Answer {
    answer(server.request(Method::POST, "/api/voices").header("X-API-Key", KEY).multipart(form)).await
}

async fn create(server: &Server, body: &Value) -> Value {
    let created = server.post("/api/voices", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

fn path(voice: &Value) -> String {
    format!("/api/voices/{}", voice["voiceId"].as_str().unwrap())
}

fn names(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|voice| voice["name"].as_str().unwrap()).collect()
}

/// The audio of a preview.
async fn heard(server: &Server, voice: &Value) -> Vec<u8> {
    let request = server.request(Method::GET, &format!("{}/preview", path(voice)));
    let response = request.header("X-API-Key", KEY).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"audio/wav".parse().unwrap())
    );
    response.bytes().await.unwrap().to_vec()
}

/// What a call that asks for this voice is told of it. The record is written behind the call's back, the event before the first
/// message.
async fn remark(server: &Server, voice: &Value) -> Value {
    let call = server.create(json!({"voice": voice})).await;
    let path = format!("/api/calls/{}/events?type=voice.unknown", call["callId"].as_str().unwrap());
    loop {
        let page = server.get(&path).await.json();
        if page["total"] == 1 {
            return page["results"][0]["text"].clone();
        }
        tokio::task::yield_now().await;
    }
}

fn samples(server: &Server) -> Vec<std::path::PathBuf> {
    let directory = std::fs::read_dir(server.directory.0.join("voices"));
    directory.map_or_else(|_| Vec::new(), |files| files.map(|file| file.unwrap().path()).collect())
}

#[tokio::test]
async fn a_providers_voice_is_registered_changed_and_removed_and_its_secrets_stay_behind() {
    let server = Server::start().await;
    let voice = create(&server, &generic("Anna")).await;
    let id = voice["voiceId"].as_str().unwrap();
    assert_eq!(
        voice,
        json!({
            "voiceId": id, "name": "Anna", "description": "warm", "primaryLanguage": "en-GB",
            "languageLabel": "🇬🇧 English (United Kingdom)",
            "previewUrl": format!("http://{}/api/voices/{id}/preview", server.running.local_addr()),
            "ownership": "private", "billingStyle": "VOICE_BILLING_STYLE_EXTERNAL", "provider": null,
            "definition": {"generic": {
                "url": "https://example.com/say", "headers": {"X-Key": "[hidden]"}, "body": {"say": ["{text}"]},
            }},
        })
    );
    let path = path(&voice);
    assert_eq!(server.get(&path).await.json(), voice);

    let patched = server
        .patch(&path, json!({"description": null, "definition": {"generic": {"responseSampleRate": 8000}}}));
    let patched = patched.await.json();
    assert_eq!(patched["description"], Value::Null);
    assert_eq!(patched["definition"]["generic"]["responseSampleRate"], 8000);
    assert_eq!(patched["definition"]["generic"]["url"], "https://example.com/say");

    // What was shown may be sent back, and the secret is what it was.
    let mut replacement = patched.clone();
    replacement["name"] = json!("Anna Maria");
    let replaced = server.put(&path, replacement.clone()).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    assert_eq!(replaced.json(), replacement);
    let (storage, account) = server.storage().await;
    let kept = storage.voices.find_voice(account, id.parse().unwrap()).await.unwrap().unwrap();
    let antiphon_server::storage::VoiceSource::Provider(definition) = &kept.source else {
        panic!("{kept:?}")
    };
    assert_eq!(serde_json::to_value(definition).unwrap()["generic"]["headers"]["X-Key"], "s3cret-voice");
    storage.close().await;

    // Another provider takes the place of the one before.
    let lmnt = server.patch(&path, json!({"definition": {"lmnt": {"voiceId": "lily"}}})).await.json();
    assert_eq!(
        (&lmnt["provider"], &lmnt["definition"]),
        (&json!("lmnt"), &json!({"lmnt": {"voiceId": "lily"}}))
    );

    assert_eq!(server.delete(&path).await.status, 204);
    for gone in [
        server.get(&path).await,
        server.delete(&path).await,
        server.put(&path, replacement).await,
        server.patch(&path, json!({})).await,
        server.get(&format!("{path}/preview")).await,
    ] {
        assert_eq!(gone.detail(404), "there is no such voice");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_voice_that_makes_no_sense_is_refused_by_the_name_of_its_field() {
    let server = Server::start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut voice = generic("Anna");
        change(&mut voice);
        voice
    };
    let definition = |definition: Value| with(&|voice| voice["definition"] = definition.clone());
    let cases = [
        (with(&|voice| voice["name"] = json!("")), "name"),
        (with(&|voice| voice["name"] = json!("x".repeat(41))), "name"),
        (with(&|voice| voice["description"] = json!("x".repeat(241))), "description"),
        (with(&|voice| voice["primaryLanguage"] = json!("x".repeat(11))), "primaryLanguage"),
        (definition(Value::Null), "definition"),
        (definition(json!({})), "definition"),
        (definition(json!({"lmnt": {"voiceId": "a"}, "google": {"voiceId": "b"}})), "definition"),
        (definition(json!({"lmnt": {}})), "definition.lmnt.voiceId"),
        (definition(json!({"elevenLabs": {"voiceId": ""}})), "definition.elevenLabs.voiceId"),
        (definition(json!({"elevenLabs": {"voiceId": "a", "speed": 2}})), "definition.elevenLabs.speed"),
        (
            definition(json!({"cartesia": {"voiceId": "a", "generationConfig": {"volume": 3}}})),
            "definition.cartesia.generationConfig.volume",
        ),
        (
            definition(json!({"inworld": {"voiceId": "a", "temperature": 3}})),
            "definition.inworld.temperature",
        ),
        (definition(json!({"respeecher": {"voiceId": "a", "topK": 0}})), "definition.respeecher.topK"),
        (
            definition(json!({"google": {"voiceId": "a", "speakingRate": 9}})),
            "definition.google.speakingRate",
        ),
        (
            definition(json!({"generic": {"url": "ftp://x", "body": {"a": "{text}"}}})),
            "definition.generic.url",
        ),
        (
            definition(json!({"generic": {"url": "http://x", "body": {"a": "text"}}})),
            "definition.generic.body",
        ),
        (
            definition(
                json!({"generic": {"url": "http://x", "body": {"a": "{text}"}, "headers": {"X-Key": "[hidden]"}}}),
            ),
            "definition.generic.headers.X-Key",
        ),
        (
            definition(
                json!({"generic": {"url": "http://x", "body": {"a": "{text}"}, "headers": {"Host": "x"}}}),
            ),
            "definition.generic.headers.Host",
        ),
        (
            definition(
                json!({"generic": {"url": "http://x", "body": {"a": "{text}"}, "headers": {"X-Key": "a\nb"}}}),
            ),
            "definition.generic.headers.X-Key",
        ),
    ];
    let voice = create(&server, &generic("There already")).await;
    for (body, field) in &cases {
        for refused in [
            server.post("/api/voices", body.to_string()).await,
            server.post("/api/voice_preview", body.to_string()).await,
        ] {
            assert_eq!(refused.status, 400, "{body}: {}", refused.text);
            assert!(refused.json()["errors"].get(field).is_some(), "{field}: {}", refused.text);
        }
    }
    let taken = server.post("/api/voices", generic("There already").to_string()).await;
    assert!(
        taken.detail(400).contains("another voice of yours is called \"There already\""),
        "{}",
        taken.text
    );
    create(&server, &generic("Anna")).await;
    for taken in [
        server.patch(&path(&voice), json!({"name": "Anna"})).await,
        server.put(&path(&voice), generic("Anna")).await,
    ] {
        assert!(taken.json()["errors"].get("name").is_some(), "{}", taken.text);
    }
    let nothing = server.patch(&path(&voice), json!({"definition": null})).await;
    assert!(nothing.json()["errors"].get("definition").is_some(), "{}", nothing.text);
    assert_eq!(server.get(&path(&voice)).await.json(), voice, "nothing was changed");
    server.stop().await;
}

#[tokio::test]
async fn voices_are_listed_by_what_they_are_the_accounts_own_first() {
    let server = Server::start().await;
    for (name, language, definition) in [
        ("Lily", json!("en-US"), json!({"lmnt": {"voiceId": "lily"}})),
        ("Charon", json!("de-DE"), json!({"google": {"voiceId": "en-US-Chirp3-HD-Charon"}})),
        ("Rachel", json!("en-GB"), json!({"elevenLabs": {"voiceId": "21m00Tcm4TlvDq8ikWAM"}})),
    ] {
        create(&server, &json!({"name": name, "primaryLanguage": language, "definition": definition})).await;
    }
    let public = ["kal", "Jessica", "Mark", "Shaun", "Tanya-English"];
    let own = ["Lily", "Charon", "Rachel"];
    for (query, expected) in [
        ("", [&own[..], &public].concat()),
        ("ownership=private", own.to_vec()),
        ("ownership=public", public.to_vec()),
        ("billingStyle=VOICE_BILLING_STYLE_EXTERNAL", own.to_vec()),
        ("billingStyle=VOICE_BILLING_STYLE_INCLUDED", public.to_vec()),
        ("provider=lmnt", vec!["Lily"]),
        ("provider=lmnt&provider=eleven_labs", vec!["Lily", "Rachel"]),
        ("provider=cartesia", vec![]),
        ("ownership=private&primaryLanguage=en-GB", vec!["Rachel", "Lily"]),
        ("primaryLanguage=de", [&["Charon"][..], &public].concat()),
        ("search=RACH", vec!["Rachel"]),
        ("search=nobody-is-called-this", vec![]),
    ] {
        let page = server.get(&format!("/api/voices?{query}")).await.json();
        assert_eq!(names(&page), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
    }
    for query in ["ownership=mine", "billingStyle=free", "provider=acme", "pageSize=0", "search=", "cursor=x"]
    {
        assert_eq!(server.get(&format!("/api/voices?{query}")).await.status, 400, "{query}");
    }
    let mut found = Vec::new();
    let mut next = Some("/api/voices?pageSize=3".to_owned());
    while let Some(path) = next {
        let page = server.get(&path).await.json();
        found.extend(names(&page).into_iter().map(str::to_owned));
        let base = format!("http://{}", server.running.local_addr());
        next = page["next"].as_str().map(|url| url.strip_prefix(&base).unwrap().to_owned());
    }
    assert_eq!(found, [&own[..], &public].concat());
    server.stop().await;
}

#[tokio::test]
async fn public_voices_are_there_for_everybody_and_nobody_changes_them() {
    let server = Server::start().await;
    let kal = server.get("/api/voices?search=kal&pageSize=1").await.json()["results"][0].clone();
    let sound = heard(&server, &kal).await;
    for (name, id) in [
        ("Mark", Some("91fa9bcf-93c8-467c-8b29-973720e3f167")),
        ("Jessica", Some("b0e6b5c1-3100-44d5-8578-9015aa3023ae")),
        ("Tanya-English", None),
        ("Shaun", None),
    ] {
        let page = server.get(&format!("/api/voices?search={name}")).await.json();
        let voice = &page["results"][0];
        assert_eq!((&voice["name"], &voice["ownership"]), (&json!(name), &json!("public")));
        if let Some(id) = id {
            assert_eq!(voice["voiceId"], id);
        }
        assert_eq!(heard(&server, voice).await, sound, "{name} is the default voice by another name");
        for refused in [
            server.patch(&path(voice), json!({"name": "Mine"})).await,
            server.put(&path(voice), generic("Mine")).await,
            server.delete(&path(voice)).await,
        ] {
            let detail = "this voice is public, and only those of your own can be changed";
            assert_eq!(refused.detail(404), detail);
        }
        let call = server.create(json!({"voice": name})).await;
        let by_voice = format!("/api/calls?voiceId={}", voice["voiceId"].as_str().unwrap());
        assert_eq!(server.get(&by_voice).await.json()["results"][0]["callId"], call["callId"]);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_voice_is_cloned_from_a_recording_which_lives_as_long_as_the_voice() {
    let server = Server::start_with(with_cloning).await;
    let uploaded = upload(&server, form("Me", wav(b"one")).text("language", "de-CH")).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.text);
    let me = uploaded.json();
    for (key, value) in [
        ("name", json!("Me")),
        ("ownership", json!("private")),
        ("billingStyle", json!("VOICE_BILLING_STYLE_INCLUDED")),
        ("primaryLanguage", json!("de-CH")),
        ("provider", Value::Null),
        ("definition", json!({})),
    ] {
        assert_eq!(me[key], value, "{key}");
    }
    assert!(me["description"].as_str().unwrap().starts_with("Cloned from a recording on 20"), "{me}");
    let mp3 = Part::bytes(b"ID3\x04\0\0\0\0\0\0\0\0\0\0".to_vec());
    let you = Form::new().part("file", mp3).text("name", "You").text("description", "yours");
    let you = upload(&server, you).await.json();
    assert_eq!((&you["primaryLanguage"], &you["description"]), (&json!("en"), &json!("yours")));

    assert_eq!(heard(&server, &me).await, heard(&server, &me).await);
    assert_ne!(heard(&server, &me).await, heard(&server, &you).await, "each sounds like its recording");
    let files = samples(&server);
    assert_eq!(files.len(), 2);
    #[cfg(unix)]
    for file in &files {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }

    // What is said of it can be changed, what it sounds like cannot.
    let mut renamed = me.clone();
    renamed["name"] = json!("Myself");
    assert_eq!(server.put(&path(&me), renamed.clone()).await.json(), renamed);
    let patched = server.patch(&path(&me), json!({"primaryLanguage": "de"})).await.json();
    assert_eq!((&patched["primaryLanguage"], &patched["name"]), (&json!("de"), &json!("Myself")));
    let turned = server.patch(&path(&me), json!({"definition": {"lmnt": {"voiceId": "x"}}})).await;
    assert!(turned.json()["errors"].get("definition").is_some(), "{}", turned.text);

    // A call gets it by its id and its name, so that there is nothing to tell.
    let mut calls = Vec::new();
    for voice in [&me["voiceId"], &json!("Myself")] {
        calls.push(server.create(json!({"voice": voice})).await);
    }
    let unknown = remark(&server, &json!("Me")).await;
    assert_eq!(unknown, "the voice \"Me\" is not on this server; the default voice \"kal\" speaks instead");
    for call in &calls {
        let path = format!("/api/calls/{}/events?type=voice.unknown", call["callId"].as_str().unwrap());
        assert_eq!(server.get(&path).await.json()["total"], 0);
    }
    let by_voice = format!("/api/calls?voiceId={}", me["voiceId"].as_str().unwrap());
    assert_eq!(server.get(&by_voice).await.json()["total"], 2);

    // It outlives the server, unlike an upload that was cut off with it, and goes with the voice.
    let directory = server.stop().await;
    std::fs::write(directory.0.join("voices/cut-off.partial"), "RIFF").unwrap();
    let server = Server::start_in(directory, with_cloning).await;
    assert_eq!(samples(&server).len(), 2);
    heard(&server, &me).await;
    assert_eq!(server.delete(&path(&me)).await.status, 204);
    assert_eq!(samples(&server).len(), 1);
    std::fs::remove_file(&samples(&server)[0]).unwrap();
    let directory = server.stop().await;
    let server = Server::start_in(directory, with_cloning).await;
    let lost = server.get(&format!("{}/preview", path(&you))).await;
    assert_eq!(
        lost.detail(400),
        "the voice cannot speak: its recording is gone; delete the voice and clone it again"
    );
    assert_eq!(server.delete(&path(&you)).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn what_a_voice_was_cloned_from_lies_in_object_storage_for_all_nodes() {
    let shared = Directory::new();
    let url = format!("file://{}", shared.0.display());
    let sharing = |config: &mut Config| {
        with_cloning(config);
        config.objects.url = Some(url.clone());
    };
    let server = Server::start_with(sharing).await;
    let me = upload(&server, form("Me", wav(b"one"))).await.json();
    let there = shared.0.join(format!("voices/{}.sample", me["voiceId"].as_str().unwrap()));
    assert_eq!(std::fs::read(&there).unwrap(), wav(b"one"));
    assert!(samples(&server).is_empty(), "nothing stays with the node");
    let sound = heard(&server, &me).await;

    // One that was cloned before there was object storage is brought there by a start.
    let directory = server.stop().await;
    let server = Server::start_in(directory, with_cloning).await;
    let you = upload(&server, form("You", wav(b"two"))).await.json();
    let directory = server.stop().await;
    let server = Server::start_in(directory, sharing).await;
    while !samples(&server).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_ne!(heard(&server, &you).await, sound);
    assert_eq!(heard(&server, &me).await, sound);
    for voice in [&me, &you] {
        assert_eq!(server.delete(&path(voice)).await.status, 204);
    }
    assert_eq!(std::fs::read_dir(shared.0.join("voices")).unwrap().count(), 0);
    server.stop().await;
}

#[tokio::test]
async fn an_upload_that_is_no_voice_is_refused_and_leaves_nothing() {
    let server = Server::start_with(with_cloning).await;
    create(&server, &generic("Anna")).await;
    let large = wav(&vec![0; 10 * 1024 * 1024]);
    let twice = || Part::bytes(wav(b"one")).file_name("me.wav");
    for (form, field) in [
        (Form::new().text("name", "Me"), "file"),
        (Form::new().part("file", twice()), "name"),
        (form("Anna", wav(b"one")), "name"),
        (form("", wav(b"one")), "name"),
        (form(&"x".repeat(41), wav(b"one")), "name"),
        (form("Me", wav(b"one")).text("description", "x".repeat(241)), "description"),
        (form("Me", wav(b"one")).text("description", "x".repeat(10_000)), "description"),
        (form("Me", wav(b"one")).text("language", "x".repeat(11)), "language"),
        (form("Me", wav(b"one")).text("language", ""), "language"),
        (form("Me", b"OggS\0\x02 and so on".to_vec()), "file"),
        (form("Me", b"{\"name\": \"Me\"}".to_vec()), "file"),
        (form("Me", Vec::new()), "file"),
        (form("Me", large), "file"),
        (form("Me", wav(b"one")).part("file", twice()), "file"),
    ] {
        let refused = upload(&server, form).await;
        assert_eq!(refused.status, 400, "{field}: {}", refused.text);
        assert!(refused.json()["errors"].get(field).is_some(), "{field}: {}", refused.text);
    }
    for (kind, body) in [
        ("multipart/form-data", "--x--"),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nRIFF",
        ),
    ] {
        let request = server.request(Method::POST, "/api/voices").header("X-API-Key", KEY);
        let broken = answer(request.header("Content-Type", kind).body(body)).await;
        assert!(broken.detail(400).starts_with("the form cannot be read"), "{}", broken.text);
    }
    assert_eq!(names(&server.get("/api/voices?ownership=private").await.json()), ["Anna"]);
    assert_eq!(samples(&server), Vec::<std::path::PathBuf>::new());
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_spoken_here_says_why() {
    let server = Server::start_with(with_cloning).await;
    let me = upload(&server, form("Me", wav(b"one"))).await.json();
    let anna =
        create(&server, &json!({"name": "Anna", "definition": {"elevenLabs": {"voiceId": "x"}}})).await;
    let why = "there is no key for ElevenLabs; set yours with PATCH /api/accounts/me/tts_api_keys, or the operator sets \
               one in [voice_providers.eleven_labs]";
    let refused = server.get(&format!("{}/preview", path(&anna))).await;
    assert_eq!(refused.detail(400), format!("the voice cannot speak: {why}"));
    let refused = server.post("/api/voice_preview", anna.to_string()).await;
    assert_eq!(refused.detail(400), format!("the voice cannot speak: {why}"));

    // A server that lost its voice that clones keeps what it has, and takes no more.
    let directory = server.stop().await;
    let server = Server::start_in(directory, |_| {}).await;
    let no_cloner = "no voice of this server can speak like a recording; its operator adds [voices.NAME] of \
                     a type that can, with clones = true";
    let refused = server.get(&format!("{}/preview", path(&me))).await;
    assert_eq!(refused.detail(400), format!("the voice cannot speak: {no_cloner}"));
    let refused = upload(&server, form("Another", wav(b"one"))).await;
    assert_eq!(refused.detail(400), no_cloner);
    assert_eq!(server.get(&path(&me)).await.json()["name"], "Me");
    server.stop().await;
}
