//! `GET /api/tools`: lists the account's tools and the public ones (protocol.md 6.2).

use antiphon_api::Page;
use antiphon_api::rest::tools::{ListTools, ListToolsQuery, Ownership, Tool, ToolOrder};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{numbered, page, part, window};
use super::super::request::Requested;
use super::{built_in_resource, tool_resource};
use crate::tools::built_in;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListTools>,
) -> Answered<ListTools> {
    let ListToolsQuery { cursor, ownership, page_size, search, sort_order } = request.query;
    let window = window(cursor.as_deref(), page_size)?;
    let own = http.storage.tools.tools(account.0).await?.into_iter().map(tool_resource);
    // An account has a bounded number of tools, so that all of them can be looked at.
    let mut tools: Vec<Tool> = own.chain(built_in::ALL.iter().map(built_in_resource)).collect();
    tools.retain(|tool| ownership.is_none_or(|wanted| tool.ownership == wanted));
    if let Some(search) = search {
        tools.retain(|tool| mentions(tool, &search.to_lowercase()));
    }
    sort(&mut tools, sort_order.unwrap_or(ToolOrder::Default));
    let total = tools.len() as u64;
    let slice = part(numbered(tools), &window);
    let page: Page<Tool> = page(&http.public_url, &request.uri, &window, slice, total);
    Ok(Answer(page))
}

fn mentions(tool: &Tool, search: &str) -> bool {
    let description = tool.definition.description.as_deref().unwrap_or_default();
    [tool.name.as_str(), description].iter().any(|text| text.to_lowercase().contains(search))
}

fn sort(tools: &mut [Tool], order: ToolOrder) {
    let is_public = |tool: &Tool| tool.ownership == Ownership::Public;
    match order {
        ToolOrder::Alphabetic => tools.sort_by_cached_key(|tool| tool.name.to_lowercase()),
        ToolOrder::ReverseAlphabetic => {
            tools.sort_by_cached_key(|tool| tool.name.to_lowercase());
            tools.reverse();
        }
        ToolOrder::Chronologic => tools.sort_by_key(|tool| (tool.created, tool.tool_id)),
        ToolOrder::ReverseChronologic => {
            tools.sort_by_key(|tool| (tool.created, tool.tool_id));
            tools.reverse();
        }
        ToolOrder::Default => {
            tools.sort_by_key(|tool| (!is_public(tool), tool.created, tool.tool_id));
            tools.reverse();
        }
        ToolOrder::Display => {
            tools.sort_by_key(|tool| (tool.created, tool.tool_id));
            tools.reverse();
            // Stable: the account's stay in their order, and public ones have one moment.
            tools.sort_by_cached_key(|tool| match is_public(tool) {
                true => (0, tool.name.to_lowercase()),
                false => (1, String::new()),
            });
        }
    }
}
