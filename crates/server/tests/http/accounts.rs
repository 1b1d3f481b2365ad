//! What the server has and what an account has used: models, voices, the account, sums of calls.

use antiphon_api::Timestamp;
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_engine::output::EndReason;
use antiphon_server::storage::StoredCall;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::Server;

#[tokio::test]
async fn models_are_the_names_that_a_call_may_ask_for() {
    let server = Server::start().await;
    let page = server.get("/api/models").await.json();
    let names: Vec<&str> =
        page["results"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"ultravox-v0.7"), "{names:?}");
    assert_eq!(page["total"], names.len());
    for name in names {
        let call = server.create(json!({"model": name})).await;
        assert_eq!(call["model"], name);
    }
    server.stop().await;
}

#[tokio::test]
async fn voices_are_found_by_what_they_are_and_go_by_id_and_name() {
    let server = Server::start().await;
    let page = server.get("/api/voices").await.json();
    let voice = page["results"][0].clone();
    let (id, name) = (voice["voiceId"].as_str().unwrap(), voice["name"].as_str().unwrap());
    assert_eq!(server.get(&format!("/api/voices/{id}")).await.json(), voice);
    assert_eq!(
        (&voice["ownership"], &voice["billingStyle"]),
        (&json!("public"), &json!("VOICE_BILLING_STYLE_INCLUDED"))
    );
    let total = async |query: &str| server.get(&format!("/api/voices?{query}")).await.json()["total"].clone();
    assert_eq!(total(&format!("search={}", name.to_uppercase())).await, page["total"]);
    assert_eq!(total("search=nobody-has-this-name").await, 0);
    assert_eq!(total("ownership=private").await, 0);
    assert_eq!(total("provider=google&provider=lmnt").await, 0);
    assert_eq!(total("billingStyle=VOICE_BILLING_STYLE_EXTERNAL").await, 0);
    for end in ["", "/preview"] {
        let unknown = server.get(&format!("/api/voices/00000000-0000-0000-0000-000000000001{end}")).await;
        assert_eq!(unknown.detail(404), "there is no such voice");
    }

    let heard = server.request(reqwest::Method::GET, &format!("/api/voices/{id}/preview"));
    let heard = heard.header("X-API-Key", crate::server::KEY).send().await.unwrap();
    assert_eq!(
        (heard.status().as_u16(), &heard.headers()["content-type"]),
        (200, &"audio/wav".parse().unwrap())
    );
    let heard = heard.bytes().await.unwrap();
    assert!(voice["previewUrl"].as_str().unwrap().ends_with(&format!("/api/voices/{id}/preview")));
    let wav = antiphon_audio::Wav::read(&heard[..]).unwrap();
    assert!(wav.samples.iter().any(|sample| *sample != 0) && wav.channels == 1);

    // A voice that is not there is replaced, with an event.
    let mut paths = Vec::new();
    for voice in [id, name, "nobody-has-this-name"] {
        let call = server.create(json!({"voice": voice})).await;
        paths.push(format!("/api/calls/{}/events?type=voice.unknown", call["callId"].as_str().unwrap()));
    }
    let events = async |path: &str| server.get(path).await.json()["total"].clone();
    // The record is written behind the call's back.
    while events(&paths[2]).await != 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!((events(&paths[0]).await, events(&paths[1]).await), (json!(0), json!(0)));
    server.stop().await;
}

#[tokio::test]
async fn an_account_says_how_many_calls_it_has() {
    let server = Server::start_with(|config| config.calls.maximum_live = 7).await;
    server.create(json!({})).await;
    let account = server.get("/api/accounts/me").await.json();
    assert_eq!((&account["activeCalls"], &account["allowedConcurrentCalls"]), (&json!(1), &json!(7)));
    assert_eq!(account["accountId"].as_str().unwrap().len(), 36);
    assert_eq!(account["allowedVoices"], 1000);
    for key in ["subscriptionTier", "subscriptionRenewal", "subscriptionExpiration"] {
        assert_eq!(account.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(server.get("/api/accounts").await.json(), json!([account]));
    let billing = server.get("/api/accounts/me/billing").await.json();
    assert_eq!(billing, json!({"paymentMethod": null, "billingEmail": null}));
    for path in ["/api/accounts/me", "/api/agents", "/api/voices", "/api/models", "/api/deleted_calls"] {
        assert_eq!(
            crate::server::answer(server.request(reqwest::Method::GET, path)).await.status,
            401,
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn calls_are_summed_up_as_a_whole_by_day_and_by_hour() {
    let server = Server::start().await;
    let (storage, account) = server.storage().await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (created, ended, reason) in [
        ("2026-11-01T08:00:00Z", "2026-11-01T08:01:00Z", EndReason::HangUp),
        ("2026-11-01T08:59:59Z", "2026-11-01T09:00:06.5Z", EndReason::SystemError),
        ("2026-11-02T00:00:00Z", "2026-11-02T00:00:30Z", EndReason::HangUp),
    ] {
        let call = StoredCall {
            id: antiphon_api::CallId::new(Uuid::new_v4()),
            account,
            created: at(created),
            joined: Some(at(created)),
            ended: Some((at(ended), reason)),
            client_version: None,
            greeting_prompt: true,
            agent: None,
            summary: None,
            request: StartCallRequest::default(),
        };
        storage.calls.insert(&call).await.unwrap();
    }
    storage.close().await;
    let sum = |total: u64, errors: u64, duration: &str, minutes: f64| {
        json!({
            "totalCount": total, "errorCount": errors, "joinedCount": total, "duration": duration, "billedMinutes": minutes
        })
    };
    let with = |mut sum: Value, date: &str, hour: Option<u32>| {
        sum["date"] = json!(date);
        if let Some(hour) = hour {
            sum["hour"] = json!(hour);
        }
        sum
    };
    let usage = server.get("/api/accounts/me/usage/calls").await.json();
    assert_eq!(usage["allTime"], sum(3, 1, "97.5s", 1.7));
    let days = [sum(2, 1, "67.5s", 1.2), sum(1, 0, "30s", 0.5)];
    let [first, second] = days;
    assert_eq!(
        usage["daily"],
        json!([with(first.clone(), "2026-11-01", None), with(second.clone(), "2026-11-02", None)])
    );
    assert_eq!(
        usage["hourly"],
        json!([with(first, "2026-11-01", Some(8)), with(second, "2026-11-02", Some(0))])
    );
    let one = server.get("/api/accounts/me/usage/calls?toDate=2026-11-01&durationMin=60s").await.json();
    assert_eq!(one["allTime"]["totalCount"], 1);

    let billed =
        server.get("/api/accounts/me/billing/usage?fromDate=2026-11-01&toDate=2026-11-02").await.json();
    assert_eq!(
        billed,
        json!({
            "dailyUsage": [{"date": "2026-11-01", "minutes": 1.2, "sipMinutes": 0.0}],
            "totalMinutes": 1.2, "totalSipMinutes": 0.0
        })
    );
    let long = server.get("/api/accounts/me/billing/usage?fromDate=2026-01-01&toDate=2026-06-01").await;
    assert!(long.detail(400).starts_with("toDate: "), "{}", long.text);

    let path = "/api/accounts/me/usage/concurrency";
    let series =
        server.get(&format!("{path}?bucket=hour&start=2026-11-01T08:00:00Z&end=2026-11-01T10:00:00Z")).await;
    assert_eq!(
        series.json()["timeSeries"],
        json!([
            {
                "timestamp": "2026-11-01T08:00:00.000000Z", "maxTotalCalls": 1, "maxJoinedCalls": 1,
                "avgTotalCalls": 61.0 / 3600.0, "avgJoinedCalls": 61.0 / 3600.0
            },
            {
                "timestamp": "2026-11-01T09:00:00.000000Z", "maxTotalCalls": 1, "maxJoinedCalls": 1,
                "avgTotalCalls": 6.5 / 3600.0, "avgJoinedCalls": 6.5 / 3600.0
            }
        ])
    );
    let long = server.get(&format!("{path}?start=2020-01-01T00:00:00Z")).await;
    assert!(long.detail(400).starts_with("start: "), "{}", long.text);
    server.stop().await;
}
