//! What a bridge says.

use antiphon_client::bridge::SendError;
use serde_json::json;

use crate::server::joined;

#[tokio::test(start_paused = true)]
async fn every_message_goes_out_as_it_stands_with_its_type() {
    let (bridge, _events, mut server) = joined().await;
    bridge.input_text_message(json!({"text": "a", "deferResponse": true})).await.unwrap();
    bridge.user_text_message(json!({"text": "b", "urgency": "later"})).await.unwrap();
    bridge.forced_agent_message(json!({"content": "c"})).await.unwrap();
    bridge.set_output_medium(json!({"medium": "text"})).await.unwrap();
    bridge.client_tool_result(json!({"invocationId": "i", "result": "r"})).await.unwrap();
    bridge.data_connection_tool_result(json!({"invocationId": "i", "errorType": "undefined"})).await.unwrap();
    bridge.hang_up(json!({"message": "bye"})).await.unwrap();
    for text in [
        r#"{"type":"input_text_message","text":"a","deferResponse":true}"#,
        r#"{"type":"user_text_message","text":"b","urgency":"later"}"#,
        r#"{"type":"forced_agent_message","content":"c"}"#,
        r#"{"type":"set_output_medium","medium":"text"}"#,
        r#"{"type":"client_tool_result","invocationId":"i","result":"r"}"#,
        r#"{"type":"data_connection_tool_result","invocationId":"i","errorType":"undefined"}"#,
        r#"{"type":"hang_up","message":"bye"}"#,
    ] {
        assert_eq!(server.text().await, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_said_is_kept_as_the_official_samples_expect() {
    let (bridge, _events, mut server) = joined().await;
    bridge
        .input_text_message(json!({"type": "user_text_message", "text": "a", "own": [1.50, null]}))
        .await
        .unwrap();
    assert_eq!(server.text().await, r#"{"type":"user_text_message","text":"a","own":[1.5,null]}"#);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_refused_and_so_is_what_comes_too_late() {
    let (bridge, mut events, mut server) = joined().await;
    for nonsense in [json!("text"), json!(["text"]), json!(null)] {
        assert_eq!(bridge.user_text_message(nonsense).await, Err(SendError::NotAnObject));
    }
    server.close(1000, "").await;
    while events.next().await.is_some() {}
    let late = bridge.user_text_message(json!({"text": "late"})).await;
    assert!(matches!(late, Err(SendError::CallOver(_))));
}

#[tokio::test(start_paused = true)]
async fn a_muted_user_is_silent_and_still_there() {
    use antiphon_audio::SampleRate;
    use antiphon_client::bridge::{MediaUnit as _, Port, SendMedia};

    let (bridge, _events, mut server) = joined().await;
    let voice = Port::live(SampleRate::PHONE);
    voice.send_media_to(&bridge, SendMedia::default()).unwrap();
    server.hear().await;
    bridge.sender().mute(true);
    assert!(bridge.sender().is_muted());
    voice.give(&[7; 1_600]);
    assert!(server.hear_frames(20).await.iter().all(|sample| *sample == 0));
    bridge.sender().mute(false);
    voice.give(&[7; 800]);
    assert!(server.hear_frames(20).await.contains(&7));
}
