//! `GET /api/accounts/me/billing/invoices`: lists invoices, of which there are none.

use antiphon_api::Page;
use antiphon_api::rest::accounts::{Invoice, ListInvoices};

use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;

pub(in crate::http) async fn invoices(
    _account: Account,
    request: Requested<ListInvoices>,
) -> Answered<ListInvoices> {
    // No list of invoices has ever given a cursor.
    if request.query.cursor.is_some() {
        return Err(ApiError::field(
            "cursor",
            "is not one of this list; follow \"next\" and \"previous\" as they are",
        ));
    }
    let none: Vec<Invoice> = Vec::new();
    Ok(Answer(Page { next: None, previous: None, results: none, total: None }))
}
