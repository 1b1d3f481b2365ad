//! Invoices of an account (protocol.md 7.12).

use crate::json::check::{Link, Within};
use crate::json::{record, words};
use crate::timestamp::Timestamp;

record! {
    /// The query of [`ListInvoices`](super::ListInvoices).
    #[derive(Default)]
    pub struct ListInvoicesQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Invoices on a page, 1 to 100; 10 if not given.
        page_size: Option<u32> where Within(1, 100),
    }
}

record! {
    /// An invoice.
    pub resource struct Invoice {
        /// When it became effective.
        invoice_date: Timestamp,
        /// How much, in the smallest unit of the currency.
        amount: i64,
        /// What it was written for.
        billing_reason: BillingReason,
        /// Its number.
        invoice_number: String,
        /// Whether it is paid.
        invoice_status: InvoiceStatus,
        /// Where it can be seen.
        invoice_url: String where Link,
    }
}

words! {
    /// What an invoice was written for.
    pub enum BillingReason {
        /// By hand.
        Manual = "manual",
        /// A subscription began.
        SubscriptionCreate = "subscription_create",
        /// A subscription went on.
        SubscriptionCycle = "subscription_cycle",
        /// Usage reached a bound.
        SubscriptionThreshold = "subscription_threshold",
        /// A subscription was changed.
        SubscriptionUpdate = "subscription_update",
    }
}

words! {
    /// Whether an invoice is paid.
    pub enum InvoiceStatus {
        /// It is.
        Paid = "paid",
        /// It is not.
        Unpaid = "unpaid",
    }
}
