//! The calls that lists are measured with.

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{AgentId, AgentRevisionId, CallId, Timestamp};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{AccountId, CallAgent, StoredCall};
use uuid::Uuid;

pub(crate) const SECOND: i64 = 1_000_000;
/// 2026-01-01.
pub(crate) const START: i64 = 1_767_225_600 * SECOND;
/// The calls before this one have a word that the others lack.
const HALF: u32 = 50_000;

/// A call every 30 s, a few minutes long, of one of 20 agents, with a prompt of 1,200 characters and some metadata.
pub(crate) fn call(number: u32, account: AccountId) -> StoredCall {
    // Any numbers that are not in order.
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let created = START + i64::from(number) * 30 * SECOND;
    let lasted = i64::try_from(mixed >> 64 & 0xFFFF).unwrap() * 300 * SECOND / 0xFFFF;
    let is_gold = mixed >> 100 & 1 == 0;
    let metadata = [
        ("customer", format!("c{number:06}")),
        ("tier", if is_gold { "gold" } else { "silver" }.to_owned()),
        ("half", if number < HALF { "older" } else { "younger" }.to_owned()),
        ("source", "https://example.com/landing/page".to_owned()),
    ];
    StoredCall {
        id: CallId::new(Uuid::from_u128(mixed)),
        account,
        created: at(created),
        joined: Some(at(created + SECOND)),
        ended: Some((at(created + SECOND + lasted), EndReason::HangUp)),
        client_version: Some("web_0.4.1".to_owned()),
        greeting_prompt: true,
        agent: Some(agent(number % 20)),
        summary: None,
        request: StartCallRequest {
            system_prompt: Some("Be kind. ".repeat(133)),
            voice: Some(match number {
                number if number >= HALF && number.is_multiple_of(7) => "Newest".to_owned(),
                number if !is_gold && number.is_multiple_of(9) => "Silvery".to_owned(),
                number if number.is_multiple_of(2) => "Mark".to_owned(),
                _ => "Jessica".to_owned(),
            }),
            metadata: Some(metadata.map(|(key, value)| (key.to_owned(), value)).into()),
            ..StartCallRequest::default()
        },
    }
}

pub(crate) fn agent(number: u32) -> CallAgent {
    CallAgent {
        id: AgentId::new(Uuid::from_u128(u128::from(number) + 1)),
        name: format!("Agent {number}"),
        revision: AgentRevisionId::new(Uuid::from_u128(u128::from(number) + 1)),
    }
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros).unwrap()
}
