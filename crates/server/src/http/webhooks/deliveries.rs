//! `GET /api/webhooks/{webhook_id}/deliveries`: what was delivered, what waits and what was given up. An extension of ours.

use antiphon_api::Timestamp;
use antiphon_api::rest::webhooks::{
    DeliveryState as Shown, ListDeliveriesQuery, ListWebhookDeliveries, WebhookDelivery,
};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::own_webhook;
use crate::storage::{DeliveryPlace, DeliveryState, EventNumber, Slice, StoredDelivery};

impl Place for DeliveryPlace {
    fn write(self) -> String {
        format!("{}.{}.{}", self.created.unix_micros(), self.call, self.event.number())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let created = Timestamp::from_unix_micros(parts.next()?.parse().ok()?).ok()?;
        let call = parts.next()?.parse().ok()?;
        Some(Self { created, call, event: EventNumber::from_number(parts.next()?.parse().ok()?)? })
    }
}

pub(in crate::http) async fn deliveries(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListWebhookDeliveries>,
) -> Answered<ListWebhookDeliveries> {
    let webhook = own_webhook(&http, &account, request.path).await?;
    let ListDeliveriesQuery { cursor, page_size } = request.query;
    let window = window(cursor.as_deref(), page_size)?;
    let slice = http.storage.deliveries.deliveries(webhook.id, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => http.storage.deliveries.count_deliveries(webhook.id).await?,
    };
    let items = slice.items.into_iter().map(|delivery| (delivery.place(), resource(delivery))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}

fn resource(delivery: StoredDelivery) -> WebhookDelivery {
    WebhookDelivery {
        call_id: delivery.call,
        event: delivery.event.into(),
        created: delivery.created,
        state: match delivery.state {
            DeliveryState::Canceled => Shown::Canceled,
            DeliveryState::Delivered => Shown::Delivered,
            DeliveryState::GivenUp => Shown::GivenUp,
            DeliveryState::Waiting => Shown::Waiting,
        },
        finished: delivery.finished,
        next_attempt: delivery.due,
        attempts: delivery.attempts,
    }
}
