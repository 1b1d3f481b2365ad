//! `POST /api/tools`: creates a tool, or one for each operation of an OpenAPI document (protocol.md 6.1, 6.2).

use antiphon_api::rest::tools::{CreateTool, Tool, ToolUpload};
use antiphon_api::{Page, Timestamp, ToolId};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::super::Http;
use super::super::answer::Answer;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{checked, tool_resource};
use crate::storage::StoredTool;
use crate::tools::open_api;

/// How many tools an account may have: a list of them is looked at as a whole.
const MOST: u32 = 1_000;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Request,
) -> Result<Response, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("multipart/form-data")) {
        return upload(&http, &account, request).await;
    }
    let request = Requested::<CreateTool>::from_request(request, &http).await?;
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let tool = checked(request.body, new_id(), account.0, now())?;
    keep(&http, &account, std::slice::from_ref(&tool)).await?;
    Ok(Answer::<CreateTool>(tool_resource(tool)).into_response())
}

/// All operations become tools, or none.
async fn upload(http: &Http, account: &Account, request: Request) -> Result<Response, ApiError> {
    let unreadable =
        |why: String| ApiError::new(StatusCode::BAD_REQUEST, format!("the form cannot be read: {why}"));
    let mut form =
        Multipart::from_request(request, http).await.map_err(|error| unreadable(error.body_text()))?;
    let mut document = None;
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(error.body_text()))? {
        if field.name() == Some(ToolUpload::FILE) {
            document = Some(field.bytes().await.map_err(|error| unreadable(error.body_text()))?);
        }
    }
    let document = document
        .ok_or_else(|| ApiError::field(ToolUpload::FILE, "is missing; send an OpenAPI document in it"))?;
    let requests = open_api::tools(&document).map_err(|why| ApiError::field(ToolUpload::FILE, why))?;
    let created = now();
    let checked = |request| checked(request, new_id(), account.0, created);
    let tools = requests.into_iter().map(checked).collect::<Result<Vec<StoredTool>, ApiError>>()?;
    keep(http, account, &tools).await?;
    let results: Vec<Tool> = tools.into_iter().map(tool_resource).collect();
    let page = Page { next: None, previous: None, total: Some(results.len() as u64), results };
    let body = serde_json::to_vec(&page).expect("wire types have string keys");
    Ok((StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

async fn keep(http: &Http, account: &Account, tools: &[StoredTool]) -> Result<(), ApiError> {
    match http.storage.tools.insert_tools(account.0, tools, MOST).await? {
        true => Ok(()),
        false => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} tools; delete some first"),
        )),
    }
}

fn new_id() -> ToolId {
    ToolId::new(Uuid::new_v4())
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
