//! `GET /api/voices`: lists the voices that a call can have, the account's own first.

use antiphon_api::rest::voices::{ListVoices, ListVoicesQuery, Voice};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{numbered, page, part, window};
use super::super::request::Requested;
use super::{own_resource, public_resource};
use crate::call::voices;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListVoices>,
) -> Answered<ListVoices> {
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    // An account has a bounded number of voices, so that all of them can be looked at.
    let own = http.storage.voices.voices(account.0).await?;
    let backends = http.backends();
    let own = own.iter().map(|voice| own_resource(&http, voice));
    let mut voices: Vec<Voice> =
        own.chain(voices::public(&backends).map(|voice| public_resource(&http, &backends, &voice))).collect();
    voices.retain(|voice| is_wanted(voice, &request.query));
    if let Some(wanted) = &request.query.primary_language {
        // Stable: those of another region come behind, those that do not say last.
        voices.sort_by_key(|voice| match &voice.primary_language {
            Some(spoken) if spoken.eq_ignore_ascii_case(wanted) => 0,
            Some(_) => 1,
            None => 2,
        });
    }
    let total = voices.len() as u64;
    Ok(Answer(page(&http.public_url, &request.uri, &window, part(numbered(voices), &window), total)))
}

fn is_wanted(voice: &Voice, query: &ListVoicesQuery) -> bool {
    let language = |text: &str| text.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let speaks = |wanted: &String| {
        // A voice that does not say is not kept from anybody.
        voice.primary_language.as_deref().is_none_or(|spoken| language(spoken) == language(wanted))
    };
    let mentions = |search: &String| {
        let texts = [Some(voice.name.as_str()), voice.description.as_deref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&search.to_lowercase()))
    };
    query.billing_style.as_ref().is_none_or(|style| *style == voice.billing_style)
        && query.ownership.is_none_or(|ownership| ownership == voice.ownership)
        && query.primary_language.as_ref().is_none_or(speaks)
        && (query.provider.is_empty()
            || voice.provider.as_ref().is_some_and(|own| query.provider.contains(own)))
        && query.search.as_ref().is_none_or(mentions)
}
