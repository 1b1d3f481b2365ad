//! Keys stay where they are put. A whole server is given a canary for every key that can be configured or sent to it, has calls in
//! which everything fails that has a key, with everything logged; then all that it said to anybody is searched for canaries.
//!
//! Whatever the server asks repeats the whole request in its refusal, which is the worst that an endpoint can do.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod canaries;
mod echo;
mod stand;

use serde_json::{Value, json};

use self::canaries::Canaries;
use self::echo::Echo;
use self::stand::Stand;

fn config(echo: &Echo, model: &str) -> String {
    let (base, root) = (echo.url("/v1"), echo.url(""));
    format!(
        r#"
[auth]
api_keys = [
  {{ name = "here", key = "canary00.0123456789abcdef0123456789abcdef" }},
  {{ name = "there", key_file = "there.key" }},
]
[calls]
default_model = "first"
default_voice = "loud"
[outbound]
allow = ["127.0.0.1"]
[models.first]
type = "openai"
base_url = "{base}"
model = "m"
api_key_env = "FIRST_KEY"
fallbacks = ["second", "third"]
[models.second]
type = "anthropic"
base_url = "{base}"
model = "m"
api_key_file = "second.key"
[models.third]
type = "openai"
base_url = "{model}"
model = "m"
api_key_env = "THIRD_KEY"
[voices.loud]
type = "openai"
base_url = "{base}"
model = "m"
voice = "v"
api_key_env = "LOUD_KEY"
fallbacks = ["rachel", "hum"]
[voices.rachel]
type = "eleven_labs"
voice_id = "v"
[voices.hum]
type = "scripted"
ms_per_character = 1
[voice_providers]
fallbacks = ["hum"]
[voice_providers.eleven_labs]
base_url = "{root}"
api_key_file = "rachel.key"
[voice_providers.cartesia]
base_url = "{root}"
[voice_providers.inworld]
base_url = "{root}"
[voice_providers.lmnt]
base_url = "{root}"
[voice_providers.respeecher]
base_url = "{root}"
[transcription]
type = "deepgram"
base_url = "{base}"
api_key_env = "EARS_KEY"
[transcription.fallback]
type = "openai"
base_url = "{base}"
model = "m"
api_key_file = "ears.key"
[voice_activity]
type = "scripted"
[retrieval.embeddings]
base_url = "{base}"
model = "m"
api_key_env = "VECTORS_KEY"
[telemetry]
otlp_endpoint = "{root}"
[summaries]
enabled = "always"
model = "second"
wait = "1s"
"#
    )
}

/// All the canaries that the server finds where it is started, and those that clients send it.
fn canaries() -> Canaries {
    let mut canaries = Canaries::default();
    for variable in ["FIRST_KEY", "THIRD_KEY", "LOUD_KEY", "EARS_KEY", "VECTORS_KEY"] {
        canaries.variable(variable);
    }
    canaries.add("ANTIPHON_TELEMETRY__OTLP_HEADERS__AUTHORIZATION");
    for file in ["second.key", "rachel.key", "ears.key"] {
        canaries.file(file);
    }
    canaries
}

/// What an account keeps on the server, each with its secrets.
async fn set_up(stand: &Stand, echo: &Echo, canaries: &mut Canaries) {
    let keys = ["elevenLabs", "cartesia", "lmnt", "inworld", "respeecher"]
        .map(|provider| (provider.to_owned(), json!(canaries.add(provider))));
    stand.patch("/api/accounts/me/tts_api_keys", Value::Object(keys.into_iter().collect())).await;
    stand
        .make(
            "toolId",
            "/api/tools",
            json!({"name": "look", "definition": {
                "modelToolName": "look", "description": "Looks it up.",
                "http": {"baseUrlPattern": echo.url("/tool"), "httpMethod": "POST"},
                "requirements": {"httpSecurityOptions": {"options": [{"requirements": {
                    "key": {"headerApiKey": {"name": "X-Tool-Key"}},
                    "word": {"queryApiKey": {"name": "word"}},
                }}]}},
            }}),
        )
        .await;
    stand
        .make(
            "voiceId",
            "/api/voices",
            json!({"name": "mine", "definition": generic(echo, canaries, "registered voice")}),
        )
        .await;
    stand
        .make("webhookId", "/api/webhooks", json!({
            "url": echo.url("/hook"), "events": ["call.ended"], "secrets": [canaries.shown_to_its_owner("webhook")],
        }))
        .await;
    stand
        .post(
            "/api/telephony_configs/plivo",
            json!({
                "authId": "MA0123456789ABCDEF01", "authToken": canaries.unused("telephony"),
            }),
        )
        .await;
    stand
        .make(
            "registrationId",
            "/api/sip/registrations",
            json!({
                "username": "desk", "password": canaries.unused("registration"), "proxy": "sip.example.com",
            }),
        )
        .await;
    stand
        .make("agentId", "/api/agents", json!({"name": "agent", "callTemplate": selected(canaries, "agent")}))
        .await;
    let corpus = stand.make("corpusId", "/api/corpora", json!({"name": "corpus"})).await;
    // Searched by meaning, for which there is a key.
    stand.post(&format!("/api/corpora/{corpus}/query"), json!({"query": "bread"})).await;
}

fn generic(echo: &Echo, canaries: &mut Canaries, whose: &str) -> Value {
    json!({"generic": {
        "url": echo.url("/say"), "headers": {"Authorization": format!("Bearer {}", canaries.add(whose))},
        "body": {"say": "{text}"}, "responseMimeType": "audio/l16", "responseSampleRate": 16_000,
    }})
}

/// The tool, with tokens for it.
fn selected(canaries: &mut Canaries, whose: &str) -> Value {
    let mut add = |what: &str| canaries.add(&format!("{whose}: {what}"));
    json!({"selectedTools": [{"toolName": "look", "authTokens": {"key": add("header"), "word": add("query")}}]})
}

/// The fields of a call that carries as many secrets as a call can.
fn request(echo: &Echo, canaries: &mut Canaries, fields: &Value) -> Value {
    let mut request = selected(canaries, "call");
    request["dataConnection"] = json!({
        "websocketUrl": echo.url("/data").replace("http", "ws"),
        "headers": {"Authorization": canaries.add("data connection")},
    });
    request["callbacks"] =
        json!({"ended": {"url": echo.url("/back"), "secrets": [canaries.unused("callback")]}});
    request["medium"] = json!({"serverWebSocket": {"inputSampleRate": 16_000}});
    request["firstSpeakerSettings"] = json!({"agent": {"text": "Hello."}});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

#[tokio::test]
async fn no_key_is_told_to_anybody_but_whom_it_is_for() {
    let mut canaries = canaries();
    let (echo, model) = (Echo::refusing().await, Echo::model().await);
    let mut stand = Stand::start(&config(&echo, &model.url("/v1")), &canaries).await;
    set_up(&stand, &echo, &mut canaries).await;

    // A call by a voice and a model that fail and have others behind them, with speech that nobody can transcribe.
    let fields = request(&echo, &mut canaries, &json!({}));
    let mut calls = vec![stand.talk(fields, true).await];
    // One by each voice that has a key of the account.
    for (provider, voice) in [
        ("elevenLabs", json!({"voiceId": "v"})),
        ("cartesia", json!({"voiceId": "v"})),
        ("lmnt", json!({"voiceId": "v"})),
        ("inworld", json!({"voiceId": "v"})),
        ("respeecher", json!({"voiceId": "v"})),
    ] {
        calls.push(
            stand
                .talk(request(&echo, &mut canaries, &json!({"externalVoice": {provider: voice}})), false)
                .await,
        );
    }
    let voice = generic(&echo, &mut canaries, "voice of the call");
    calls.push(stand.talk(request(&echo, &mut canaries, &json!({"externalVoice": voice})), false).await);
    calls.push(stand.talk(request(&echo, &mut canaries, &json!({"voice": "mine"})), false).await);
    // Told only when the model has failed to sum the call up.
    for call in &calls {
        echo.has_seen("/back", call).await;
    }

    // What goes wrong in a request, with keys in it.
    let mut wrong = request(&echo, &mut canaries, &json!({"voice": 7}));
    wrong["dataConnection"]["headers"]["Authorization"] = json!({"key": canaries.unused("misplaced")});
    assert_eq!(stand.post("/api/calls", wrong).await, 400);
    let bad = canaries.unused("unknown token");
    let wrong = json!({"selectedTools": [{"toolName": "look", "authTokens": {"nothing": bad}}]});
    assert_eq!(stand.post("/api/calls", wrong).await, 400);

    stand.read_everything(&calls).await;
    stand.examine(&["config", "check"]).await;
    stand.examine(&["doctor", "--paid"]).await;
    echo.has_seen("/hook", &calls[0]).await;
    echo.has_seen("/v1/traces", "").await;
    let told = stand.stop().await;

    // Each was used; a canary that nobody was sent could not be told either.
    let heard = [echo.heard(), model.heard()].concat();
    for (name, canary) in canaries.used() {
        assert!(heard.contains(canary), "nobody was sent the key {name}");
    }
    let posts = echo.posts();
    let mut leaks = Vec::new();
    for (name, canary) in canaries.all() {
        for (place, text) in told.iter().filter(|(place, _)| !canaries.may_be_shown(name, place)) {
            if let Some(line) = text.lines().find(|line| line.contains(canary)) {
                let line: String = line.chars().take(300).collect();
                leaks.push(format!("{name} in {place}: {line}"));
            }
        }
        if posts.iter().any(|post| post.contains(canary)) {
            leaks.push(format!("{name} in what was posted to a receiver"));
        }
    }
    assert_eq!(leaks.join("\n"), "");
    // Nothing would be found where nothing is said.
    for (place, wanted) in [
        ("the log", "TRACE"),
        ("the log", "answered 401"),
        ("/events", "answered 401"),
        ("/messages", "MESSAGE_ROLE_TOOL_RESULT"),
        ("a journal", "antiphon journal"),
        ("doctor", "answered 401"),
    ] {
        let found = told.iter().any(|(other, text)| other.contains(place) && text.contains(wanted));
        assert!(found, "{wanted:?} in {place}");
    }
}
