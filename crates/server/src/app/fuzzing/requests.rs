//! Requests to every operation of the API, in memory, against a whole server.

use std::path::PathBuf;

use antiphon_api::rest::operations::operations;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::api_key::ApiKey;
use crate::app::{App, Running};
use crate::config::{Config, ConfiguredKey, Secret};

/// A server whom nobody can reach but by this, and which reaches nobody.
pub struct Requests {
    runtime: Runtime,
    router: Router,
    running: Option<Running>,
    key: HeaderValue,
    directory: PathBuf,
}

impl Default for Requests {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let directory = std::env::temp_dir().join(format!("antiphon-fuzzing-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&directory).expect("there is room for a directory");
        let key = ApiKey::generate().expect("there is randomness");
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.drain_deadline = std::time::Duration::ZERO;
        config.storage.path = directory.join("antiphon.db");
        config.outbound.only_allowed = true;
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.calls.maximum_live = 100;
        config.auth.api_keys = vec![ConfiguredKey {
            name: "fuzzing".to_owned(),
            account: None,
            key: Some(Secret::new(key.expose())),
            key_file: None,
            sha256: None,
        }];
        let running = runtime.block_on(App::start(config)).expect("a server of nothing but defaults starts");
        let key = HeaderValue::from_str(key.expose()).expect("a key is letters and digits");
        Self { router: running.router.clone(), runtime, running: Some(running), key, directory }
    }
}

impl Requests {
    /// Sends a request: method and path with query in the first line, the content type in the second, then the body. No answer may
    /// be a failure of the server's own.
    pub fn run(&self, data: &[u8]) {
        let mut parts = data.splitn(3, |byte| *byte == b'\n');
        let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let (head, kind) = (line(), line());
        let body = parts.next().unwrap_or_default().to_vec();
        let (method, target) = head.split_once(' ').unwrap_or(("GET", &head));
        let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
        let Ok(uri) = target.parse::<Uri>() else { return };
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert("x-api-key", self.key.clone());
        if let Ok(kind) = HeaderValue::from_str(&kind)
            && !kind.is_empty()
        {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        let router = self.router.clone();
        let (status, body) = self.runtime.block_on(async move {
            let Ok(response) = router.oneshot(request).await;
            let status = response.status();
            (status, to_bytes(response.into_body(), 16 << 20).await.unwrap_or_default())
        });
        assert_ne!(
            status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{head} failed: {}",
            String::from_utf8_lossy(&body)
        );
    }

    /// A request for each operation, with a body that means something where there are such.
    #[must_use]
    pub fn seeds() -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for operation in operations() {
            let path: String = operation
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { "00000000-0000-4000-8000-000000000001" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            for body in BODIES {
                if body == "{}" || takes(operation.path, body) {
                    seeds.push(format!("{} {path}\napplication/json\n{body}", operation.method).into_bytes());
                }
            }
            seeds.push(
                format!("{} {path}?pageSize=2&cursor=x&search=a&sort=-created\n\n", operation.method)
                    .into_bytes(),
            );
        }
        seeds
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether a body is of the kind that a path takes: its resource is named in the body's first field that is about one.
fn takes(path: &str, body: &str) -> bool {
    let marks = [
        ("/agents", "callTemplate"),
        ("/calls", "systemPrompt"),
        ("/tools", "definition"),
        ("/webhooks", "events"),
        ("/voices", "definition"),
        ("/voices", "elevenLabs"),
        ("/corpora", "description"),
        ("/corpora", "crawl"),
        ("/query", "\"query\""),
        ("/scheduled_batches", "calls\""),
        ("/call_throttles", "limit"),
        ("/sip", "registration"),
        ("/telephony_config", "authToken"),
        ("/telephony_xml", "CallSid"),
        ("/send_data_message", "\"type\""),
    ];
    marks.iter().any(|(part, word)| path.contains(part) && body.contains(word))
}

/// Bodies that mean something to some operation.
const BODIES: [&str; 17] = [
    "{}",
    r#"{"systemPrompt":"You are {{name}}.","temperature":0.4,"model":"ultravox-v0.7","voice":"kal","languageHint":"en","initialMessages":[{"role":"MESSAGE_ROLE_USER","text":"hi"}],"joinTimeout":"30s","maxDuration":"600s","timeExceededMessage":"bye","inactivityMessages":[{"duration":"8s","message":"hello?","endBehavior":"END_BEHAVIOR_HANG_UP_SOFT"}],"selectedTools":[{"toolName":"hangUp"},{"temporaryTool":{"modelToolName":"f","description":"d","dynamicParameters":[{"name":"x","location":"PARAMETER_LOCATION_BODY","schema":{"type":"string"},"required":true}],"client":{}}}],"medium":{"serverWebSocket":{"inputSampleRate":16000,"outputSampleRate":48000,"clientBufferSizeMs":60}},"recordingEnabled":false,"firstSpeakerSettings":{"agent":{"text":"Hello."}},"vadSettings":{"turnEndpointDelay":"0.384s","minimumTurnDuration":"0s","minimumInterruptionDuration":"0.09s","frameActivationThreshold":0.1},"metadata":{"a":"b"},"callbacks":{"ended":{"url":"https://127.0.0.1/x","secrets":["s"]}}}"#,
    r#"{"systemPrompt":"x","templateContext":{"name":"y"},"medium":{"twilio":{}},"dataConnection":{"websocketUrl":"wss://127.0.0.1/d","audioConfig":{"sampleRate":16000,"channelMode":"CHANNEL_MODE_SEPARATED"}}}"#,
    r#"{"name":"an agent","callTemplate":{"systemPrompt":"You are {{name}}.","contextSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]},"selectedTools":[{"toolName":"queryCorpus"}]}}"#,
    r#"{"name":"tool","definition":{"modelToolName":"look","description":"looks","dynamicParameters":[{"name":"q","location":"PARAMETER_LOCATION_QUERY","schema":{"type":"object","properties":{"a":{"enum":[1,2]}}},"required":false}],"staticParameters":[{"name":"k","location":"PARAMETER_LOCATION_HEADER","value":"v"}],"automaticParameters":[{"name":"c","location":"PARAMETER_LOCATION_BODY","knownValue":"KNOWN_PARAM_CALL_ID"}],"http":{"baseUrlPattern":"https://127.0.0.1/{a}","httpMethod":"GET"},"timeout":"5s","requirements":{"httpSecurityOptions":{"options":[{"requirements":{"k":{"headerApiKey":{"name":"X"}}}}]}}}}"#,
    r#"{"url":"https://127.0.0.1/hook","secrets":["a"],"events":["call.started","call.ended"],"agentId":null,"status":"active"}"#,
    r#"{"name":"v","description":"d","definition":{"elevenLabs":{"voiceId":"x","model":"eleven_turbo_v2_5","speed":1.0,"stability":0.5}}}"#,
    r#"{"name":"v","definition":{"generic":{"url":"https://127.0.0.1/tts","headers":{"a":"b"},"body":{"text":"{text}"},"responseSampleRate":24000,"responseMimeType":"audio/l16","responseWordsPerMinute":150}}}"#,
    r#"{"name":"c","description":"what there is"}"#,
    r#"{"name":"s","crawl":{"maxDepth":2,"maxDocuments":5,"startUrls":["https://127.0.0.1/"],"relevantDocumentTypes":{"mimeTypes":{"include":["text/html"]}}}}"#,
    r#"{"name":"s","upload":{"documentIds":["00000000-0000-4000-8000-000000000001"]}}"#,
    r#"{"query":"opening hours","maxResults":5,"minimumScore":0.1}"#,
    r#"{"windowStart":"2026-01-01T00:00:00Z","windowEnd":"2099-01-01T00:00:00Z","webhookUrl":null,"calls":[{"medium":{"sip":{"outgoing":{"to":"sip:a@127.0.0.1","from":"b"}}},"metadata":{"a":"b"},"templateContext":{"name":"n"}}]}"#,
    r#"{"name":"t","maxConcurrentCalls":3,"limit":3}"#,
    r#"{"username":"u","password":"p","proxy":"sip.example.com","registration":{},"allowedCidrRanges":["10.0.0.0/8"],"allowedAgents":[{"agentId":"00000000-0000-4000-8000-000000000001","toUserPattern":"^a$"}]}"#,
    r#"{"accountSid":"AC1","authToken":"secret","callCreationAllowedAgentIds":["00000000-0000-4000-8000-000000000001"],"requestContextMapping":{"CallSid":"id"}}"#,
    r#"{"type":"user_text_message","text":"hello","urgency":"soon"}"#,
];
