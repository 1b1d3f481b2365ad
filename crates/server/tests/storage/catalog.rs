//! What every database must do for lists of calls. Each function is one story on an empty store.

use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{AgentId, AgentRevisionId, CallId, Timestamp, WireDuration};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::catalog::MANY;
use antiphon_server::storage::{
    AccountId, AgentDay, Attempt, CallAgent, CallFilter, CallKey, CallPlace, CallSort, CallSpan, Deletion,
    Direction, EventChoice, EventPlace, HourOfCalls, Severity, SortPlace, Storage, StoredCall, StoredEvent,
    Window,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::{account, at, call, event, id, inserted};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

pub(crate) async fn calls_are_walked_both_ways_in_every_order_without_a_gap_or_a_double(storage: &Storage) {
    let account = account(storage).await;
    // Calls 2 and 3 were created in one microsecond; call 4 has not ended, call 5 was never joined, call 1 is the longest.
    for (number, created, joined, ended) in [
        (1, 10, Some(11), Some(90)),
        (2, 20, Some(25), Some(60)),
        (3, 20, Some(24), Some(59)),
        (4, 30, Some(31), None),
        (5, 40, None, Some(50)),
    ] {
        let call = inserted(storage, number, at(created)).await;
        if let Some(joined) = joined {
            storage.calls.mark_joined(call.id, at(joined), None).await.unwrap();
        }
        if let Some(ended) = ended {
            storage.calls.mark_ended(call.id, at(ended), EndReason::HangUp).await.unwrap();
        }
    }
    let all = CallFilter::default();
    assert_eq!(storage.catalog.count(account, &all).await.unwrap(), Some(5));
    assert_eq!(storage.catalog.count_live(account).await.unwrap(), 1);
    for (by, rising) in [
        (CallKey::Created, [1, 2, 3, 4, 5]),
        (CallKey::Joined, [1, 3, 2, 4, 5]),
        (CallKey::Ended, [5, 3, 2, 1, 4]),
        (CallKey::Duration, [5, 2, 3, 1, 4]),
    ] {
        for descending in [false, true] {
            let mut order = rising.map(id);
            if descending {
                order.reverse();
            }
            let sort = CallSort { by, descending };
            let page = async |after, direction, limit| {
                let window = Window { after, direction, limit };
                let slice = storage.catalog.list(account, &all, sort, window).await.unwrap();
                let places: Vec<SortPlace> = slice.items.iter().map(|call| call.sort_place(by)).collect();
                (places, slice.more)
            };
            let ids = |places: &[SortPlace]| places.iter().map(|place| place.id).collect::<Vec<_>>();
            let (first, more) = page(None, Direction::Forward, 2).await;
            assert_eq!((ids(&first), more), (order[..2].to_vec(), true), "{sort:?}");
            let (second, more) = page(Some(first[1]), Direction::Forward, 2).await;
            assert_eq!((ids(&second), more), (order[2..4].to_vec(), true), "{sort:?}");
            let (third, more) = page(Some(second[1]), Direction::Forward, 2).await;
            assert_eq!((ids(&third), more), (order[4..].to_vec(), false), "{sort:?}");
            let (back, more) = page(Some(third[0]), Direction::Backward, 2).await;
            assert_eq!((back.clone(), more), (second, true), "{sort:?}");
            let (back, more) = page(Some(back[0]), Direction::Backward, 2).await;
            assert_eq!((back, more), (first, false), "{sort:?}");
            let (whole, more) = page(None, Direction::Forward, 5).await;
            assert_eq!((ids(&whole), more), (order.to_vec(), false), "{sort:?}");
            let (end, more) = page(None, Direction::Backward, 2).await;
            assert_eq!((ids(&end), more), (order[3..].to_vec(), true), "{sort:?}");
        }
    }
}

pub(crate) async fn what_a_filter_lets_through_is_what_fits(storage: &Storage) {
    let account = account(storage).await;
    let (support, sales) = (agent(1, "Support"), agent(2, "Sales"));
    let metadata = |value: Value| Some(serde_json::from_value(value).unwrap());
    // By number: when it was created, what with, and how many seconds it lasted.
    for (number, created, agent, voice, metadata, lasted) in [
        (
            1,
            8 * HOUR,
            Some(&support),
            Some("Mark"),
            metadata(json!({"customer": "Jane", "tier": "gold"})),
            Some(30),
        ),
        (2, DAY + 9 * HOUR, Some(&sales), None, metadata(json!({"customer": "jane"})), Some(60)),
        (
            3,
            DAY + 23 * HOUR,
            None,
            Some("Ana"),
            metadata(json!({"customer": "Jürgen ÄRGER", "x": "a\n\"y\":\"b\""})),
            Some(90),
        ),
        (4, 2 * DAY, Some(&support), Some("100%"), None, None),
    ] {
        let mut call = call(storage, number, at(created)).await;
        call.agent = agent.cloned();
        call.request =
            StartCallRequest { voice: voice.map(str::to_owned), metadata, ..StartCallRequest::default() };
        storage.calls.insert(&call).await.unwrap();
        if let Some(lasted) = lasted {
            storage.calls.mark_joined(call.id, at(created + SECOND), None).await.unwrap();
            let ended = at(created + (1 + lasted) * SECOND);
            storage.calls.mark_ended(call.id, ended, EndReason::HangUp).await.unwrap();
        }
    }
    let with = |change: &dyn Fn(&mut CallFilter)| {
        let mut filter = CallFilter::default();
        change(&mut filter);
        filter
    };
    let search = |words: &'static str| with(&|filter| filter.search = Some(words.to_owned()));
    let metadata = |key: &'static str, value: &'static str| {
        with(&|filter| drop(filter.metadata.insert(key.to_owned(), value.to_owned())))
    };
    let hours = |from: i64, to: i64| with(&|filter| filter.time_of_day = Some((from * HOUR, to * HOUR)));
    let cases = [
        (with(&|_| {}), vec![1, 2, 3, 4]),
        (with(&|filter| filter.agents = vec![support.id]), vec![1, 4]),
        (with(&|filter| filter.agents = vec![support.id, sales.id]), vec![1, 2, 4]),
        (with(&|filter| filter.agents = vec![AgentId::new(Uuid::from_u128(9))]), vec![]),
        (with(&|filter| filter.created_from = Some(at(DAY + 9 * HOUR))), vec![2, 3, 4]),
        (with(&|filter| filter.created_to = Some(at(DAY + 9 * HOUR))), vec![1, 2]),
        (with(&|filter| filter.lasted_at_least = Some(Duration::from_secs(60))), vec![2, 3]),
        (with(&|filter| filter.lasted_at_most = Some(Duration::from_secs(60))), vec![1, 2]),
        (metadata("customer", "Jane"), vec![1]),
        (metadata("customer", "Jan"), vec![]),
        (metadata("tier", "gold"), vec![1]),
        // A value that looks like another entry is none.
        (metadata("y", "b"), vec![]),
        (metadata("x", "a\n\"y\":\"b\""), vec![3]),
        (search("JANE"), vec![1, 2]),
        (search("ärger jürg"), vec![3]),
        (search("jane gold"), vec![1]),
        (search("support"), vec![1, 4]),
        (search("100%"), vec![4]),
        (search("1%"), vec![]),
        (search("00000000-0000-0000-0000-000000000002"), vec![2]),
        (search("customer"), vec![]),
        (hours(8, 9), vec![1, 2]),
        (hours(22, 8), vec![1, 3, 4]),
        (
            with(&|filter| filter.voices = Some(vec![Some("Mark".to_owned()), Some("Ana".to_owned())])),
            vec![1, 3],
        ),
        (with(&|filter| filter.voices = Some(vec![Some("Mark".to_owned()), None])), vec![1, 2]),
        (with(&|filter| filter.voices = Some(Vec::new())), vec![]),
        (
            with(&|filter| {
                filter.agents = vec![support.id];
                filter.created_to = Some(at(DAY));
                filter.search = Some("mark".to_owned());
            }),
            vec![1],
        ),
    ];
    for (filter, found) in cases {
        for by in [CallKey::Created, CallKey::Ended] {
            let sort = CallSort { by, descending: false };
            let window = Window { after: None, direction: Direction::Forward, limit: 10 };
            let slice = storage.catalog.list(account, &filter, sort, window).await.unwrap();
            let ids: Vec<CallId> = slice.items.iter().map(|call| call.id).collect();
            assert_eq!(ids, found.iter().copied().map(id).collect::<Vec<_>>(), "{filter:?}");
        }
        assert_eq!(
            storage.catalog.count(account, &filter).await.unwrap(),
            Some(found.len() as u64),
            "{filter:?}"
        );
    }
}

pub(crate) async fn no_account_sees_anything_of_another_one(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    storage.calls.mark_ended(call.id, at(2), EndReason::Unjoined).await.unwrap();
    storage.calls.delete(call.account, call.id, at(3)).await.unwrap();
    inserted(storage, 2, at(1)).await;

    let (stranger, all) = (AccountId(Uuid::from_u128(77)), CallFilter::default());
    let catalog = &storage.catalog;
    let sort = CallSort { by: CallKey::Created, descending: true };
    let window = Window { after: None, direction: Direction::Forward, limit: 10 };
    assert_eq!(catalog.list(stranger, &all, sort, window).await.unwrap().items, []);
    assert_eq!(catalog.count(stranger, &all).await.unwrap(), Some(0));
    assert_eq!(catalog.count_live(stranger).await.unwrap(), 0);
    let window = Window { after: None, direction: Direction::Forward, limit: 10 };
    assert_eq!(catalog.tombstones(stranger, &all, window).await.unwrap().items, []);
    assert_eq!(catalog.count_tombstones(stranger, &all).await.unwrap(), Some(0));
    assert_eq!(catalog.find_tombstone(stranger, call.id).await.unwrap(), None);
    assert_eq!(catalog.by_hour(stranger, &all).await.unwrap(), []);
    assert_eq!(catalog.by_agent_and_day(stranger, &all).await.unwrap(), []);
    assert_eq!(catalog.spans(stranger, at(0), at(9), 10).await.unwrap(), []);
}

pub(crate) async fn events_are_chosen_by_severity_and_type_and_walked_both_ways(storage: &Storage) {
    let call = inserted(storage, 1, at(1)).await;
    let events: Vec<StoredEvent> = [
        (Severity::Debug, "a"),
        (Severity::Info, "b"),
        (Severity::Warning, "a"),
        (Severity::Error, "b"),
        (Severity::Info, "a"),
    ]
    .map(|(severity, kind)| StoredEvent { kind: kind.to_owned(), ..event(severity, "happened") })
    .into();
    storage.calls.append_events(call.id, &events, Attempt::First).await.unwrap();
    let choice = |minimum, kind: Option<&str>| EventChoice { minimum, kind: kind.map(str::to_owned) };
    for (choice, found) in [
        (choice(Severity::Debug, None), vec![0, 1, 2, 3, 4]),
        (choice(Severity::Info, None), vec![1, 2, 3, 4]),
        (choice(Severity::Error, None), vec![3]),
        (choice(Severity::Info, Some("a")), vec![2, 4]),
        (choice(Severity::Info, Some("c")), vec![]),
    ] {
        let window = Window { after: None, direction: Direction::Forward, limit: 10 };
        let slice = storage.catalog.list_events(call.id, &choice, window).await.unwrap();
        let expected: Vec<_> =
            found.iter().map(|at| (EventPlace(*at), events[*at as usize].clone())).collect();
        assert_eq!(slice.items, expected, "{choice:?}");
        assert_eq!(storage.catalog.count_events(call.id, &choice).await.unwrap(), found.len() as u64);
    }
    let page = async |after, direction| {
        let window = Window { after, direction, limit: 2 };
        let slice =
            storage.catalog.list_events(call.id, &choice(Severity::Info, None), window).await.unwrap();
        (slice.items.into_iter().map(|(place, _)| place.0).collect::<Vec<_>>(), slice.more)
    };
    assert_eq!(page(None, Direction::Forward).await, (vec![1, 2], true));
    assert_eq!(page(Some(EventPlace(2)), Direction::Forward).await, (vec![3, 4], false));
    assert_eq!(page(Some(EventPlace(3)), Direction::Backward).await, (vec![1, 2], false));
}

pub(crate) async fn a_deleted_call_leaves_a_tombstone_and_nothing_of_what_was_in_it(storage: &Storage) {
    let mut call = call(storage, 1, at(10)).await;
    call.agent = Some(agent(1, "Support"));
    call.request = StartCallRequest {
        voice: Some("Mark".to_owned()),
        max_duration: Some(WireDuration::from_secs(120)),
        recording_enabled: Some(true),
        metadata: Some([("customer".to_owned(), "Jane".to_owned())].into()),
        ..StartCallRequest::default()
    };
    storage.calls.insert(&call).await.unwrap();
    storage.calls.mark_joined(call.id, at(20), None).await.unwrap();
    storage.calls.mark_ended(call.id, at(20 + 5 * SECOND), EndReason::Timeout).await.unwrap();
    assert_eq!(storage.catalog.find_tombstone(call.account, call.id).await.unwrap(), None);
    assert_eq!(storage.calls.delete(call.account, call.id, at(99)).await.unwrap(), Deletion::Deleted);

    let stone = storage.catalog.find_tombstone(call.account, call.id).await.unwrap().unwrap();
    assert_eq!((stone.id, stone.account, stone.created), (call.id, call.account, at(10)));
    assert_eq!((stone.joined, stone.ended), (Some(at(20)), Some((at(20 + 5 * SECOND), EndReason::Timeout))));
    assert_eq!((stone.max_duration, stone.recording_enabled), (WireDuration::from_secs(120), true));
    assert_eq!(stone.deleted, at(99));

    let later = inserted(storage, 2, at(11)).await;
    storage.calls.mark_ended(later.id, at(12), EndReason::Unjoined).await.unwrap();
    storage.calls.delete(later.account, later.id, at(13)).await.unwrap();
    let found = async |filter: CallFilter| {
        let window = Window { after: None, direction: Direction::Forward, limit: 10 };
        let slice = storage.catalog.tombstones(call.account, &filter, window).await.unwrap();
        let count = storage.catalog.count_tombstones(call.account, &filter).await.unwrap();
        assert_eq!(count, Some(slice.items.len() as u64));
        slice.items.iter().map(|stone| stone.id).collect::<Vec<_>>()
    };
    let all = CallFilter::default;
    assert_eq!(found(all()).await, [later.id, call.id]);
    assert_eq!(
        found(CallFilter { agents: vec![AgentId::new(Uuid::from_u128(1))], ..all() }).await,
        [call.id]
    );
    assert_eq!(found(CallFilter { lasted_at_least: Some(Duration::from_secs(5)), ..all() }).await, [call.id]);
    assert_eq!(found(CallFilter { search: Some(call.id.to_string()), ..all() }).await, [call.id]);
    assert_eq!(found(CallFilter { search: Some("jane".to_owned()), ..all() }).await, []);
    let jane = [("customer".to_owned(), "Jane".to_owned())].into();
    assert_eq!(found(CallFilter { metadata: jane, ..all() }).await, []);
    assert_eq!(found(CallFilter { voices: Some(vec![Some("Mark".to_owned()), None]), ..all() }).await, []);

    let window = |after, direction| Window { after, direction, limit: 1 };
    let page = async |after, direction| {
        let slice = storage.catalog.tombstones(call.account, &all(), window(after, direction)).await.unwrap();
        (slice.items[0].id, slice.more)
    };
    assert_eq!(page(None, Direction::Forward).await, (later.id, true));
    let place = CallPlace { created: at(11), id: later.id };
    assert_eq!(page(Some(place), Direction::Forward).await, (call.id, false));
    let place = CallPlace { created: at(10), id: call.id };
    assert_eq!(page(Some(place), Direction::Backward).await, (later.id, false));
}

pub(crate) async fn calls_are_summed_up_by_hour_and_by_agent(storage: &Storage) {
    let account = account(storage).await;
    let (old_name, new_name, other) = (agent(1, "Old"), agent(1, "New"), agent(2, "Other"));
    for (number, created, agent, lasted, reason) in [
        (1, 5, Some(&old_name), Some(7), Some(EndReason::HangUp)),
        (2, HOUR - 1, Some(&other), Some(6), Some(EndReason::SystemError)),
        (3, HOUR, None, None, Some(EndReason::Unjoined)),
        (4, DAY + 5, Some(&new_name), Some(12), Some(EndReason::ConnectionError)),
        (5, DAY + 6, Some(&new_name), None, None),
    ] {
        let call = StoredCall { agent: agent.cloned(), ..call(storage, number, at(created)).await };
        storage.calls.insert(&call).await.unwrap();
        if lasted.is_some() {
            storage.calls.mark_joined(call.id, at(created), None).await.unwrap();
        }
        if let Some(reason) = reason {
            let ended = at(created + lasted.unwrap_or(30) * SECOND);
            storage.calls.mark_ended(call.id, ended, reason).await.unwrap();
        }
    }
    let hour = |hour, calls, failed, joined, seconds, billed_units| HourOfCalls {
        hour,
        calls,
        failed,
        joined,
        duration_us: seconds * SECOND,
        billed_units,
    };
    let all = CallFilter::default();
    let hours = storage.catalog.by_hour(account, &all).await.unwrap();
    assert_eq!(hours, [hour(0, 2, 1, 2, 13, 3), hour(1, 1, 0, 0, 0, 0), hour(24, 2, 1, 1, 12, 2)]);
    let first_day = CallFilter { created_to: Some(at(DAY - 1)), agents: vec![old_name.id], ..all.clone() };
    assert_eq!(storage.catalog.by_hour(account, &first_day).await.unwrap(), [hour(0, 1, 0, 1, 7, 2)]);

    let day = |agent: &CallAgent, day, calls, billed_units| AgentDay {
        agent: agent.id,
        name: agent.name.clone(),
        day,
        calls,
        billed_units,
    };
    let days = storage.catalog.by_agent_and_day(account, &all).await.unwrap();
    assert_eq!(days, [day(&new_name, 0, 1, 2), day(&new_name, 1, 2, 2), day(&other, 0, 1, 1)]);
}

pub(crate) async fn spans_are_those_that_touch_a_period(storage: &Storage) {
    let account = account(storage).await;
    for (number, created, ended) in [(1, 10, Some(20)), (2, 15, Some(30)), (3, 25, None), (4, 40, None)] {
        let call = inserted(storage, number, at(created)).await;
        if let Some(ended) = ended {
            storage.calls.mark_ended(call.id, at(ended), EndReason::Unjoined).await.unwrap();
        }
    }
    let spans = async |from, to, limit| {
        let spans: Vec<CallSpan> = storage.catalog.spans(account, at(from), at(to), limit).await.unwrap();
        spans.into_iter().map(|span| (micros(span.created), span.ended.map(micros))).collect::<Vec<_>>()
    };
    assert_eq!(spans(21, 39, 10).await, [(25, None), (15, Some(30))]);
    assert_eq!(spans(20, 20, 10).await, [(15, Some(30)), (10, Some(20))]);
    assert_eq!(spans(0, 99, 1).await, [(40, None)]);
}

pub(crate) fn agent(number: u128, name: &str) -> CallAgent {
    CallAgent {
        id: AgentId::new(Uuid::from_u128(number)),
        name: name.to_owned(),
        revision: AgentRevisionId::new(Uuid::from_u128(number)),
    }
}

fn micros(moment: Timestamp) -> i64 {
    moment.unix_micros()
}

pub(crate) async fn sums_follow_every_change_of_a_call(storage: &Storage) {
    let mut first = call(storage, 1, at(5)).await;
    first.agent = Some(agent(1, "Support"));
    storage.calls.insert(&first).await.unwrap();
    let account = first.account;
    let second = inserted(storage, 2, at(6)).await;
    let same = async |step: &str| {
        // A bound within an hour cannot be answered by sums of hours.
        let within = CallFilter { created_from: Some(at(1)), ..CallFilter::default() };
        let all = CallFilter::default();
        let hours = storage.catalog.by_hour(account, &all).await.unwrap();
        assert_eq!(hours, storage.catalog.by_hour(account, &within).await.unwrap(), "{step}");
        let days = storage.catalog.by_agent_and_day(account, &all).await.unwrap();
        assert_eq!(days, storage.catalog.by_agent_and_day(account, &within).await.unwrap(), "{step}");
        let calls: u64 = hours.iter().map(|hour| hour.calls).sum();
        assert_eq!(storage.catalog.count(account, &all).await.unwrap(), Some(calls), "{step}");
        hours
    };
    same("created").await;
    storage.calls.mark_joined(first.id, at(7), None).await.unwrap();
    assert_eq!(same("joined").await[0].joined, 1);
    storage.calls.mark_ended(first.id, at(7 + 7 * SECOND), EndReason::SystemError).await.unwrap();
    storage.calls.mark_ended(second.id, at(9), EndReason::Unjoined).await.unwrap();
    let ended = same("ended").await;
    let hour =
        HourOfCalls { hour: 0, calls: 2, failed: 1, joined: 1, duration_us: 7 * SECOND, billed_units: 2 };
    assert_eq!(ended, [hour]);
    storage.calls.delete(account, first.id, at(99)).await.unwrap();
    assert_eq!(same("one deleted").await[0].calls, 1);
    storage.calls.delete(account, second.id, at(99)).await.unwrap();
    assert_eq!(same("both deleted").await, []);
}

pub(crate) async fn deleted_calls_are_found_by_no_text_any_more(storage: &Storage) {
    let mut kept = call(storage, 1, at(5)).await;
    kept.request.metadata = Some([("line".to_owned(), "\"quoted\" Größe\nnext".to_owned())].into());
    storage.calls.insert(&kept).await.unwrap();
    storage.calls.mark_ended(kept.id, at(6), EndReason::Unjoined).await.unwrap();
    let by_word =
        CallFilter { search: Some("GRÖSS \"QUOTED\"".replace("SS", "ß")), ..CallFilter::default() };
    let by_fact = CallFilter { metadata: kept.request.metadata.clone().unwrap(), ..CallFilter::default() };
    for filter in [&by_word, &by_fact] {
        assert_eq!(storage.catalog.count(kept.account, filter).await.unwrap(), Some(1), "{filter:?}");
    }
    storage.calls.delete(kept.account, kept.id, at(99)).await.unwrap();
    for filter in [&by_word, &by_fact] {
        assert_eq!(storage.catalog.count(kept.account, filter).await.unwrap(), Some(0), "{filter:?}");
    }
}

pub(crate) async fn counts_end_where_they_are_many_and_pages_do_not(storage: &Storage) {
    let many = u128::from(MANY);
    let mut calls = call(storage, 1, at(1)).await;
    calls.request.metadata = Some([("tier".to_owned(), "gold".to_owned())].into());
    for number in 0..=many {
        let id = CallId::new(Uuid::from_u128(number + 1));
        let created = at(i64::try_from(number).unwrap() + 1);
        storage.calls.insert(&StoredCall { id, created, ..calls.clone() }).await.unwrap();
    }
    let count = async |filter: &CallFilter| storage.catalog.count(calls.account, filter).await.unwrap();
    let all = CallFilter::default;
    assert_eq!(count(&all()).await, Some(u64::from(MANY) + 1));
    let gold = CallFilter { search: Some("gold".to_owned()), ..all() };
    for filter in [
        &gold,
        &CallFilter { metadata: calls.request.metadata.clone().unwrap(), ..all() },
        &CallFilter { created_from: Some(at(1)), ..all() },
    ] {
        assert_eq!(count(filter).await, None, "{filter:?}");
    }
    assert_eq!(count(&CallFilter { created_from: Some(at(2)), ..all() }).await, Some(MANY.into()));
    // The oldest call is found all the same, by walking from the other end or by what only few have.
    let sort = CallSort { by: CallKey::Created, descending: false };
    let window = Window { after: None, direction: Direction::Forward, limit: 1 };
    let slice = storage.catalog.list(calls.account, &gold, sort, window).await.unwrap();
    assert_eq!((slice.items[0].id, slice.more), (id(1), true));
    let both = CallFilter { search: Some(format!("gold {}", id(7))), ..all() };
    assert_eq!(count(&both).await, Some(1));
}

pub(crate) async fn a_text_that_many_calls_have_is_found_in_every_order(storage: &Storage) {
    // Calls whose numbers are not in the order of their creation; some at one moment. The latest thousand of 6,000 lack what the others
    // have, so that no page begins with what fits. Some have not ended, some were not joined, and of some a clock that was set says that
    // they ended before they were created.
    let mut template = call(storage, 1, at(1)).await;
    template.joined = Some(at(0));
    let (account, mut calls) = (template.account, Vec::new());
    for number in 0..6_000_i64 {
        let created = 10_000 * SECOND + (number ^ 5) / 3 * SECOND;
        let lasted = number * 7_919 % 600;
        let tier = if number < 5_000 { "gold" } else { "silver" };
        let metadata =
            [("tier", tier), ("mark", if number % 2 == 0 { "xq" } else { "zz" }), ("shop", "王芳")];
        let mut call = StoredCall {
            id: CallId::new(Uuid::from_u128(u128::from(number.unsigned_abs()) * 7_919 % 6_007 + 1)),
            created: at(created),
            joined: Some(at(created)),
            ended: Some((at(created + lasted * SECOND), EndReason::HangUp)),
            agent: Some(agent(u128::from(number.unsigned_abs() % 3), "Support")),
            ..template.clone()
        };
        match number % 300 {
            10 => call.ended = None,
            20 => (call.joined, call.ended) = (None, None),
            30 | 40 => call.joined = None,
            50 => {
                call.joined = Some(at(created - 900 * SECOND));
                call.ended = Some((at(created - 800 * SECOND), EndReason::HangUp));
            }
            60 => call.joined = Some(at(created + 900 * SECOND)),
            _ => {}
        }
        call.request.voice = Some(if number % 2 == 0 { "Mark" } else { "Jessica" }.to_owned());
        call.request.metadata = Some(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        if number == 0 {
            // One more, so that gold is what many have.
            let extra = StoredCall { id: CallId::new(Uuid::from_u128(7_000)), ..call.clone() };
            storage.calls.insert(&extra).await.unwrap();
            calls.push(extra);
        }
        storage.calls.insert(&call).await.unwrap();
        calls.push(call);
    }
    let fact = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let all = CallFilter::default;
    let gold = || CallFilter { search: Some("GOLD".to_owned()), ..all() };
    let word = |call: &StoredCall, value: &str| {
        call.request.metadata.iter().flatten().any(|(_, kept)| kept == value)
    };
    let is_gold = |call: &StoredCall| word(call, "gold");
    type Fits<'f> = &'f dyn Fn(&StoredCall) -> bool;
    let cases: [(CallFilter, Fits<'_>); 9] = [
        (gold(), &is_gold),
        (CallFilter { metadata: fact("tier", "gold"), ..all() }, &is_gold),
        // Words too short to have three letters in a row.
        (CallFilter { search: Some("xq".to_owned()), ..all() }, &|call| word(call, "xq")),
        (CallFilter { search: Some("王芳 z".to_owned()), ..all() }, &|call| word(call, "zz")),
        (CallFilter { search: Some("gold xq".to_owned()), ..all() }, &|call| {
            is_gold(call) && word(call, "xq")
        }),
        (CallFilter { search: Some("qqq".to_owned()), ..all() }, &|_| false),
        (CallFilter { voices: Some(vec![Some("Mark".to_owned()), None]), ..gold() }, &|call| {
            is_gold(call) && word(call, "xq")
        }),
        (
            CallFilter {
                agents: vec![AgentId::new(Uuid::from_u128(1))],
                metadata: fact("mark", "zz"),
                ..gold()
            },
            &|call| is_gold(call) && word(call, "zz") && call.agent == Some(agent(1, "Support")),
        ),
        (
            CallFilter {
                created_from: Some(at(10_500 * SECOND)),
                created_to: Some(at(11_500 * SECOND)),
                ..gold()
            },
            &|call| is_gold(call) && (10_500..=11_500).contains(&(micros(call.created) / SECOND)),
        ),
    ];
    for (filter, fits) in cases {
        for (by, descending) in [
            (CallKey::Created, true),
            (CallKey::Created, false),
            (CallKey::Ended, true),
            (CallKey::Ended, false),
            (CallKey::Joined, true),
            (CallKey::Joined, false),
            (CallKey::Duration, true),
        ] {
            let mut fitting: Vec<SortPlace> =
                calls.iter().filter(|call| fits(call)).map(|call| call.sort_place(by)).collect();
            fitting.sort_unstable();
            if descending {
                fitting.reverse();
            }
            let sort = CallSort { by, descending };
            for at in [0, fitting.len() / 2] {
                let after = at.checked_sub(1).and_then(|before| fitting.get(before)).copied();
                let window = Window { after, direction: Direction::Forward, limit: 7 };
                let slice = storage.catalog.list(account, &filter, sort, window).await.unwrap();
                let places: Vec<_> = slice.items.iter().map(|call| call.sort_place(by)).collect();
                let rest = fitting.get(at..).unwrap_or_default();
                assert_eq!(places, rest[..rest.len().min(7)], "{filter:?} {sort:?} {at}");
                assert_eq!(slice.more, rest.len() > 7, "{filter:?} {sort:?} {at}");
                let Some(after) = fitting.get(at).copied() else { continue };
                let window = Window { after: Some(after), direction: Direction::Backward, limit: 7 };
                let slice = storage.catalog.list(account, &filter, sort, window).await.unwrap();
                let places: Vec<_> = slice.items.iter().map(|call| call.sort_place(by)).collect();
                assert_eq!(places, fitting[at.saturating_sub(7)..at], "{filter:?} {sort:?} before {at}");
            }
        }
        let hours = storage.catalog.by_hour(account, &filter).await.unwrap();
        let sum: u64 = hours.iter().map(|hour| hour.calls).sum();
        let days = storage.catalog.by_agent_and_day(account, &filter).await.unwrap();
        let fitting = calls.iter().filter(|call| fits(call)).count() as u64;
        assert_eq!((sum, days.iter().map(|day| day.calls).sum::<u64>()), (fitting, fitting), "{filter:?}");
        let count = storage.catalog.count(account, &filter).await.unwrap();
        assert!(count == Some(fitting) || count.is_none() && filter.search.is_some() || fitting > 5_000);
    }
}

pub(crate) async fn deleted_calls_are_found_by_any_part_of_their_ids(storage: &Storage) {
    let account = account(storage).await;
    let mut ids = Vec::new();
    for number in 1..=300_u128 {
        let id = CallId::new(Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)));
        let created = at(i64::try_from(number * 7 % 100).unwrap());
        let call = StoredCall { id, created, ..call(storage, 1, at(1)).await };
        storage.calls.insert(&call).await.unwrap();
        storage.calls.mark_ended(id, at(200), EndReason::Unjoined).await.unwrap();
        storage.calls.delete(account, id, at(300)).await.unwrap();
        ids.push((created, id));
    }
    // What is there has the same words, and is not meant.
    inserted(storage, 1, at(5)).await;
    ids.sort_unstable();
    ids.reverse();
    let (_, some) = ids[40];
    let text = some.to_string();
    for word in [text.as_str(), &text[9..15], &text[..3], &text[1..3], &text[4..5], "zq", "--", "z", "zzz"] {
        let filter = CallFilter { search: Some(word.to_uppercase()), ..CallFilter::default() };
        let fitting: Vec<CallId> =
            ids.iter().map(|(_, id)| *id).filter(|id| id.to_string().contains(word)).collect();
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        let slice = storage.catalog.tombstones(account, &filter, window).await.unwrap();
        assert_eq!(slice.items.iter().map(|stone| stone.id).collect::<Vec<_>>(), fitting, "{word}");
        let count = storage.catalog.count_tombstones(account, &filter).await.unwrap();
        assert_eq!(count, Some(fitting.len() as u64), "{word}");
    }
}
