//! What every database must do for the server, whichever it is. Each function is one story on an empty store.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use antiphon_api::rest::calls::{
    BaseToolDefinition, CallMedium, Message, MessageRole, ServerWebSocketMedium, StartCallRequest,
};
use antiphon_api::{CallId, CallStageId, SampleRate, Secret, Timestamp, ToolId};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    AccountId, Addition, Attempt, CallPlace, Deletion, Direction, MessageChoice, MessagePlace, Severity,
    Storage, StoredCall, StoredEvent, StoredMessage, StoredStage, StoredTool, ToolUse, Window,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) async fn the_default_account_is_made_once(storage: &Storage) {
    let (first, second) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
    assert_eq!(storage.accounts.default_account(first, at(0)).await.unwrap(), first);
    assert_eq!(storage.accounts.default_account(second, at(1)).await.unwrap(), first);
}

pub(crate) async fn a_call_comes_back_as_it_was_kept(storage: &Storage) {
    let mut call = call(storage, 1, at(1_700_000_000_123_456)).await;
    call.greeting_prompt = false;
    call.request = StartCallRequest {
        system_prompt: Some("Be brief. \u{1f980}".to_owned()),
        temperature: Some(0.3),
        medium: Some(CallMedium::ServerWebSocket(ServerWebSocketMedium {
            input_sample_rate: SampleRate::new(16_000).unwrap(),
            output_sample_rate: None,
            client_buffer_size_ms: Some(30_000),
            data_messages: None,
            media_idle_timeout: None,
        })),
        metadata: Some([("source".to_owned(), "contract".to_owned())].into()),
        shared_secrets: Some(vec![Secret::new("0123456789abcdef")]),
        initial_messages: Some(Vec::new()),
        ..StartCallRequest::default()
    };
    storage.calls.insert(&call).await.unwrap();
    assert_eq!(storage.calls.find(call.id).await.unwrap(), Some(call.clone()));
    assert_eq!(storage.calls.find(id(99)).await.unwrap(), None);
    assert!(storage.calls.insert(&call).await.is_err(), "an id is used once");
}

pub(crate) async fn a_call_is_joined_once_and_ends_once(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    assert!(storage.calls.mark_joined(call.id, at(2), Some("web_0.4.1")).await.unwrap());
    assert!(!storage.calls.mark_joined(call.id, at(3), None).await.unwrap());
    assert!(storage.calls.mark_ended(call.id, at(4), EndReason::AgentHangUp).await.unwrap());
    assert!(!storage.calls.mark_ended(call.id, at(5), EndReason::HangUp).await.unwrap());
    let kept = storage.calls.find(call.id).await.unwrap().unwrap();
    assert_eq!(kept.joined, Some(at(2)));
    assert_eq!(kept.client_version.as_deref(), Some("web_0.4.1"));
    assert_eq!(kept.ended, Some((at(4), EndReason::AgentHangUp)));

    assert!(!storage.calls.mark_joined(id(99), at(2), None).await.unwrap());
    assert!(!storage.calls.mark_ended(id(99), at(2), EndReason::HangUp).await.unwrap());
}

pub(crate) async fn a_call_that_ended_cannot_be_joined(storage: &Storage) {
    for (number, reason) in (1..).zip([
        EndReason::AgentHangUp,
        EndReason::ConnectionError,
        EndReason::HangUp,
        EndReason::SystemError,
        EndReason::Timeout,
        EndReason::Unjoined,
    ]) {
        let call = inserted(storage, number, at(1)).await;
        assert!(storage.calls.mark_ended(call.id, at(2), reason).await.unwrap());
        assert!(!storage.calls.mark_joined(call.id, at(3), None).await.unwrap());
        let kept = storage.calls.find(call.id).await.unwrap().unwrap();
        assert_eq!((kept.joined, kept.ended), (None, Some((at(2), reason))));
    }
}

pub(crate) async fn unfinished_calls_are_those_that_have_not_ended(storage: &Storage) {
    let (waiting, joined, ended) = (
        inserted(storage, 3, at(3)).await,
        inserted(storage, 2, at(1)).await,
        inserted(storage, 1, at(2)).await,
    );
    storage.calls.mark_joined(joined.id, at(4), None).await.unwrap();
    storage.calls.mark_ended(ended.id, at(4), EndReason::Unjoined).await.unwrap();
    let unfinished: Vec<CallId> =
        storage.calls.unfinished().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(unfinished, [joined.id, waiting.id], "oldest first");
}

pub(crate) async fn only_an_ended_call_of_the_account_is_deleted_with_all_it_left(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    storage.calls.append_messages(call.id, &[message(1, 0, false, "Hello")], Attempt::First).await.unwrap();
    storage.calls.append_events(call.id, &[event(Severity::Info, "noted")], Attempt::First).await.unwrap();
    let stranger = AccountId(Uuid::from_u128(77));

    assert_eq!(storage.calls.delete(call.account, call.id, at(2)).await.unwrap(), Deletion::Live);
    storage.calls.mark_ended(call.id, at(3), EndReason::HangUp).await.unwrap();
    assert_eq!(storage.calls.delete(stranger, call.id, at(4)).await.unwrap(), Deletion::Unknown);
    assert!(storage.calls.find(call.id).await.unwrap().is_some());
    assert_eq!(storage.calls.delete(call.account, call.id, at(4)).await.unwrap(), Deletion::Deleted);
    assert_eq!(storage.calls.delete(call.account, call.id, at(5)).await.unwrap(), Deletion::Unknown);

    assert_eq!(storage.calls.find(call.id).await.unwrap(), None);
    assert_eq!(storage.calls.count_messages(call.id, MessageChoice::InCall).await.unwrap(), 0);
    assert_eq!(storage.calls.events(call.id, Severity::Debug, 10).await.unwrap(), []);
    assert!(
        storage
            .calls
            .append_messages(call.id, &[message(1, 1, false, "Too late")], Attempt::First)
            .await
            .is_err()
    );
}

pub(crate) async fn messages_keep_their_order_and_are_chosen_by_stage(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let of = |from, to| MessageChoice::Stages { from, to };
    let window = |after, limit| Window { after, direction: Direction::Forward, limit };
    let texts = async |choice, window| {
        let slice = storage.calls.messages(call.id, choice, window).await.unwrap();
        let texts: Vec<String> = slice.items.iter().map(|(_, stored)| stored.message.text.clone()).collect();
        (texts, slice.more, slice.items.last().map(|(place, _)| *place))
    };
    assert_eq!(texts(of(0, 0), window(None, 10)).await, (Vec::new(), false, None));

    let first = [message(0, 0, true, "before"), message(0, 1, false, "one"), message(0, 2, false, "two")];
    let second = [message(1, 0, true, "again"), message(1, 1, false, "three")];
    let third = [message(2, 2, false, "four")];
    storage.calls.append_messages(call.id, &first, Attempt::First).await.unwrap();
    assert_eq!(texts(of(0, 0), window(None, 10)).await.0, ["before", "one", "two"]);
    storage.calls.append_messages(call.id, &second[..1], Attempt::First).await.unwrap();
    storage.calls.append_messages(call.id, &second[1..], Attempt::First).await.unwrap();
    storage.calls.append_messages(call.id, &third, Attempt::First).await.unwrap();

    assert_eq!(texts(of(1, 1), window(None, 10)).await.0, ["again", "three"]);
    assert_eq!(texts(of(1, 2), window(None, 10)).await.0, ["again", "three", "four"]);
    assert_eq!(storage.calls.count_messages(call.id, of(1, 2)).await.unwrap(), 3);
    assert_eq!(storage.calls.count_messages(call.id, of(3, 3)).await.unwrap(), 0);
    assert_eq!(storage.calls.count_messages(call.id, MessageChoice::InCall).await.unwrap(), 4);
    let (one, more, place) = texts(MessageChoice::InCall, window(None, 1)).await;
    assert_eq!((one.as_slice(), more), (["one".to_owned()].as_slice(), true));
    let (rest, more, last) = texts(MessageChoice::InCall, window(place, 2)).await;
    assert_eq!((rest, more), (vec!["two".to_owned(), "three".to_owned()], true));
    let back = Window { after: last, direction: Direction::Backward, limit: 1 };
    assert_eq!(texts(MessageChoice::InCall, back).await.0, ["two"]);

    let all = storage.calls.messages(call.id, MessageChoice::InCall, window(None, 10)).await.unwrap();
    let kept: Vec<StoredMessage> = all.items.into_iter().map(|(_, message)| message).collect();
    assert_eq!(kept, [first[1].clone(), first[2].clone(), second[1].clone(), third[0].clone()]);
    assert_eq!(place, Some(MessagePlace(1)), "places count from 0 over the whole call");
}

pub(crate) async fn what_may_have_been_written_is_not_written_once_more(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let said = [message(0, 0, false, "one"), message(0, 1, false, "two"), message(1, 2, false, "three")];
    let noted = [event(Severity::Info, "noted"), event(Severity::Warning, "ignored")];
    for attempt in [Attempt::Again, Attempt::Again] {
        storage.calls.append_messages(call.id, &said[..2], attempt).await.unwrap();
        storage.calls.append_events(call.id, &noted[..1], attempt).await.unwrap();
    }
    for attempt in [Attempt::First, Attempt::Again] {
        storage.calls.append_messages(call.id, &said[2..], attempt).await.unwrap();
        storage.calls.append_events(call.id, &noted[1..], attempt).await.unwrap();
    }
    let window = Window { after: None, direction: Direction::Forward, limit: 10 };
    let messages = storage.calls.messages(call.id, MessageChoice::InCall, window).await.unwrap();
    let messages: Vec<StoredMessage> = messages.items.into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, said);
    assert_eq!(storage.calls.events(call.id, Severity::Debug, 10).await.unwrap(), noted);
}

pub(crate) async fn records_of_several_calls_are_written_together_or_not_at_all(storage: &Storage) {
    let (one, other) = (inserted(storage, 1, at(1)).await, inserted(storage, 2, at(1)).await);
    let said = [message(0, 0, false, "one"), message(0, 1, false, "two"), message(0, 2, false, "three")];
    let noted = [event(Severity::Info, "noted"), event(Severity::Warning, "ignored")];
    let of = |call, messages, events| Addition { call, messages, events, attempt: Attempt::First };
    storage
        .calls
        .append(&[of(one.id, &said[..1], &noted[..1]), of(other.id, &said[..2], &[])])
        .await
        .unwrap();
    // What is of a call that is not there is not written, and nothing else that comes with it.
    let unknown = id(9);
    for unknown in [of(unknown, &said, &[]), of(unknown, &[], &noted)] {
        storage.calls.append(&[of(one.id, &said[1..], &noted[1..]), unknown]).await.unwrap_err();
    }
    // One of them may have been written before.
    let again = Addition { attempt: Attempt::Again, ..of(other.id, &said[..2], &[]) };
    storage.calls.append(&[again, of(one.id, &said[1..], &noted[1..])]).await.unwrap();
    let window = || Window { after: None, direction: Direction::Forward, limit: 10 };
    for (call, expected) in [(one.id, &said[..]), (other.id, &said[..2])] {
        let messages = storage.calls.messages(call, MessageChoice::InCall, window()).await.unwrap().items;
        let places: Vec<i64> = messages.iter().map(|(place, _)| place.0).collect();
        let messages: Vec<StoredMessage> = messages.into_iter().map(|(_, message)| message).collect();
        assert_eq!(messages, expected);
        assert_eq!(places, (0..expected.len() as i64).collect::<Vec<i64>>());
    }
    assert_eq!(storage.calls.events(one.id, Severity::Debug, 10).await.unwrap(), noted);
    assert!(storage.calls.events(other.id, Severity::Debug, 10).await.unwrap().is_empty());
}

pub(crate) async fn a_message_is_found_by_its_index_in_a_history(storage: &Storage) {
    let (call, other) = (inserted(storage, 1, at(1)).await, inserted(storage, 2, at(1)).await);
    let kept = [message(0, 0, true, "before"), message(0, 1, false, "one"), message(1, 2, false, "two")];
    storage.calls.append_messages(call.id, &kept, Attempt::First).await.unwrap();
    let found = async |call, from, to, index| {
        storage.calls.message(call, MessageChoice::Stages { from, to }, index).await.unwrap()
    };
    assert_eq!(found(call.id, 0, 0, 0).await.as_ref(), Some(&kept[0]));
    assert_eq!(found(call.id, 0, 1, 1).await.as_ref(), Some(&kept[1]));
    assert_eq!(found(call.id, 0, 1, 2).await.as_ref(), Some(&kept[2]));
    assert_eq!(found(call.id, 0, 0, 2).await, None, "it was said later");
    assert_eq!(found(call.id, 1, 1, 1).await, None, "it was said before");
    assert_eq!(found(other.id, 0, 1, 1).await, None);
}

pub(crate) async fn stages_come_back_in_order_and_go_with_their_call(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let stage = |number: u32, history_from| StoredStage {
        id: stage(number.into()),
        number,
        created: at(number.into()),
        history_from,
        request: StartCallRequest {
            system_prompt: Some(format!("stage {number}")),
            ..StartCallRequest::default()
        },
    };
    assert_eq!(storage.calls.stages(call.id).await.unwrap(), []);
    storage.calls.insert_stage(call.id, &stage(1, 0)).await.unwrap();
    storage.calls.insert_stage(call.id, &stage(2, 2)).await.unwrap();
    // A writer that does not know whether it was written writes again.
    storage.calls.insert_stage(call.id, &stage(2, 2)).await.unwrap();
    let stages = storage.calls.stages(call.id).await.unwrap();
    assert_eq!(stages, [stage(1, 0), stage(2, 2)]);
    assert_eq!(stages[0].messages(), MessageChoice::Stages { from: 0, to: 1 });
    assert_eq!(stages[1].messages(), MessageChoice::Stages { from: 2, to: 2 });

    assert!(storage.calls.insert_stage(id(99), &stage(1, 0)).await.is_err(), "there is no such call");
    storage.calls.mark_ended(call.id, at(3), EndReason::HangUp).await.unwrap();
    storage.calls.delete(call.account, call.id, at(4)).await.unwrap();
    assert_eq!(storage.calls.stages(call.id).await.unwrap(), []);
}

pub(crate) async fn events_are_chosen_by_severity(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let events = [
        event(Severity::Debug, "looked"),
        event(Severity::Error, "failed"),
        event(Severity::Info, "noted"),
        StoredEvent {
            stage: Some(stage(1)),
            extras: Some(json!({ "fields": ["a"] })),
            ..event(Severity::Warning, "odd")
        },
    ];
    storage.calls.append_events(call.id, &events[..2], Attempt::First).await.unwrap();
    storage.calls.append_events(call.id, &events[2..], Attempt::First).await.unwrap();
    let of = async |minimum, limit| storage.calls.events(call.id, minimum, limit).await.unwrap();
    assert_eq!(of(Severity::Debug, 10).await, events);
    assert_eq!(of(Severity::Info, 10).await, events[1..]);
    assert_eq!(of(Severity::Warning, 10).await, [events[1].clone(), events[3].clone()]);
    assert_eq!(of(Severity::Debug, 1).await, events[..1]);
}

pub(crate) async fn writers_at_the_same_time_lose_nothing(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let writers: Vec<_> = (0..20)
        .map(|writer| {
            let storage = storage.clone();
            tokio::spawn(async move {
                for index in 0..5 {
                    let text = format!("{writer}.{index}");
                    storage
                        .calls
                        .append_messages(call.id, &[message(1, index, false, &text)], Attempt::First)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(storage.calls.count_messages(call.id, MessageChoice::InCall).await.unwrap(), 100);
}

/// So many microseconds since 1970.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros).unwrap()
}

pub(crate) async fn inserted(storage: &Storage, number: u128, created: Timestamp) -> StoredCall {
    let call = call(storage, number, created).await;
    storage.calls.insert(&call).await.unwrap();
    call
}

pub(crate) async fn call(storage: &Storage, number: u128, created: Timestamp) -> StoredCall {
    StoredCall {
        id: id(number),
        account: account(storage).await,
        created,
        joined: None,
        ended: None,
        client_version: None,
        greeting_prompt: true,
        agent: None,
        summary: None,
        request: StartCallRequest::default(),
    }
}

pub(crate) async fn account(storage: &Storage) -> AccountId {
    storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(0)).await.unwrap()
}

pub(crate) fn id(number: u128) -> CallId {
    CallId::new(Uuid::from_u128(number))
}

fn stage(number: u128) -> CallStageId {
    CallStageId::new(Uuid::from_u128(number))
}

pub(crate) fn message(stage_number: u32, index: u32, initial: bool, text: &str) -> StoredMessage {
    StoredMessage {
        stage: stage(stage_number.into()),
        stage_number,
        index,
        initial,
        message: Message::new(MessageRole::User, text),
    }
}

pub(crate) fn event(severity: Severity, text: &str) -> StoredEvent {
    StoredEvent {
        stage: None,
        at: at(9),
        severity,
        kind: "test.event".to_owned(),
        text: text.to_owned(),
        extras: None,
    }
}

fn tool(account: AccountId, number: u128, name: &str) -> StoredTool {
    let definition: BaseToolDefinition = serde_json::from_value(json!({
        "modelToolName": name,
        "dynamicParameters": [{"name": "a", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}}],
        "http": {"baseUrlPattern": "https://example.com/", "httpMethod": "GET"},
    }))
    .unwrap();
    let created = at(i64::try_from(number).unwrap());
    StoredTool {
        id: ToolId::new(Uuid::from_u128(number)),
        account,
        name: name.to_owned(),
        created,
        definition,
    }
}

pub(crate) async fn a_tool_comes_back_as_it_was_kept_and_only_to_its_account(storage: &Storage) {
    let account = account(storage).await;
    let stranger = AccountId(Uuid::from_u128(77));
    let (first, second) = (tool(account, 2, "look"), tool(account, 1, "look"));
    assert!(storage.tools.insert_tools(account, &[first.clone(), second.clone()], 10).await.unwrap());
    assert_eq!(storage.tools.find_tool(account, first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(storage.tools.find_tool(stranger, first.id).await.unwrap(), None);
    assert_eq!(storage.tools.tools(account).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(storage.tools.tools(stranger).await.unwrap(), []);
    assert_eq!(storage.tools.tools_named(account, "look").await.unwrap().len(), 2);
    assert_eq!(storage.tools.tools_named(account, "other").await.unwrap(), []);

    let changed = StoredTool { name: "other".to_owned(), ..first.clone() };
    assert!(storage.tools.update_tool(&changed).await.unwrap());
    assert_eq!(storage.tools.tools_named(account, "other").await.unwrap(), std::slice::from_ref(&changed));
    assert!(!storage.tools.update_tool(&StoredTool { account: stranger, ..changed }).await.unwrap());

    assert!(!storage.tools.delete_tool(stranger, first.id).await.unwrap());
    assert!(storage.tools.delete_tool(account, first.id).await.unwrap());
    assert!(!storage.tools.delete_tool(account, first.id).await.unwrap());
    assert_eq!(storage.tools.tools(account).await.unwrap(), [second]);
}

pub(crate) async fn tools_are_kept_up_to_a_number_all_or_none(storage: &Storage) {
    let account = account(storage).await;
    assert!(storage.tools.insert_tools(account, &[tool(account, 1, "a")], 2).await.unwrap());
    let two = [tool(account, 2, "b"), tool(account, 3, "c")];
    assert!(!storage.tools.insert_tools(account, &two, 2).await.unwrap());
    assert_eq!(storage.tools.tools(account).await.unwrap().len(), 1);
    assert!(storage.tools.insert_tools(account, &two, 3).await.unwrap());
    assert_eq!(storage.tools.tools(account).await.unwrap().len(), 3);
}

pub(crate) async fn a_tools_history_knows_its_calls_and_its_failures(storage: &Storage) {
    let used = ToolId::new(Uuid::from_u128(5));
    let mut calls = Vec::new();
    for number in 1..=5 {
        let call = inserted(storage, number, at(i64::try_from(number).unwrap())).await;
        if number != 3 {
            let uses = [ToolUse { tool: used, name: "look".to_owned() }];
            storage.tools.note_uses(call.id, &uses).await.unwrap();
            storage.tools.note_uses(call.id, &uses).await.unwrap();
            calls.push(call);
        }
    }
    let account = calls[0].account;
    let said = |tool: &str, error: Option<&str>| StoredMessage {
        stage: CallStageId::new(Uuid::from_u128(1)),
        stage_number: 0,
        index: 0,
        initial: false,
        message: Message {
            tool_name: Some(tool.to_owned()),
            error_details: error.map(str::to_owned),
            ..Message::new(MessageRole::ToolResult, "x")
        },
    };
    let messages = [
        said("look", Some("oops")),
        said("look", None),
        said("other", Some("oops")),
        said("look", Some("again")),
    ];
    storage.calls.append_messages(calls[3].id, &messages, Attempt::First).await.unwrap();

    let window = |after, direction, limit| Window { after, direction, limit };
    let place = |call: &StoredCall| CallPlace { created: call.created, id: call.id };
    let ids = |items: &[(StoredCall, u32)]| items.iter().map(|(call, _)| call.id).collect::<Vec<_>>();
    let history = |window| storage.tools.tool_history(account, used, window);
    let first = history(window(None, Direction::Forward, 3)).await.unwrap();
    assert_eq!(ids(&first.items), [calls[3].id, calls[2].id, calls[1].id]);
    assert_eq!(first.items.iter().map(|(_, errors)| *errors).collect::<Vec<_>>(), [2, 0, 0]);
    assert!(first.more);
    let rest = history(window(Some(place(&calls[1])), Direction::Forward, 3)).await.unwrap();
    assert_eq!((ids(&rest.items), rest.more), (vec![calls[0].id], false));
    let back = history(window(Some(place(&calls[0])), Direction::Backward, 2)).await.unwrap();
    assert_eq!((ids(&back.items), back.more), (vec![calls[2].id, calls[1].id], true));
    assert_eq!(storage.tools.count_tool_history(account, used).await.unwrap(), Some(4));
    let other = ToolId::new(Uuid::from_u128(6));
    assert_eq!(storage.tools.count_tool_history(account, other).await.unwrap(), Some(0));
}
