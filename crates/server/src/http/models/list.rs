//! `GET /api/models`: lists the names that a call's `model` may have: this server's models, and published names that mean its default
//! model (protocol.md 7.17, A-58).

use antiphon_api::rest::models::{ListModels, ModelAlias};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{numbered, page, part, window};
use super::super::request::Requested;
use crate::call::model_names;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    _account: Account,
    request: Requested<ListModels>,
) -> Answered<ListModels> {
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let backends = http.backends();
    let names = model_names(&backends);
    let models: Vec<ModelAlias> =
        names.into_iter().map(|name| ModelAlias { name: name.to_owned() }).collect();
    let total = models.len() as u64;
    Ok(Answer(page(&http.public_url, &request.uri, &window, part(numbered(models), &window), total)))
}
