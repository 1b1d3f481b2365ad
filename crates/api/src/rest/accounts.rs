//! Accounts and what they have used (protocol.md 7.12).

mod invoices;
mod tts_keys;
mod usage;

use crate::endpoint::endpoint;
use crate::ids::AccountId;
use crate::json::record;
use crate::page::Page;
use crate::rest::calls::CallFilter;
use crate::timestamp::Timestamp;

pub use invoices::{BillingReason, Invoice, InvoiceStatus, ListInvoicesQuery};
pub use tts_keys::{KeyPrefix, TtsKeys, TtsKeysChange};
pub use usage::{
    BillingUsage, BillingUsageDay, BillingUsageQuery, CallStatistics, CallUsage, ConcurrencyBucket,
    ConcurrencyPoint, ConcurrencyQuery, ConcurrencyUsage, DailyCallStatistics, HourlyCallStatistics,
};

endpoint! {
    /// Lists the accounts that the key may use: a plain array.
    pub ListAccounts: Get "/api/accounts" -> 200 Vec<Account>
}

endpoint! {
    /// Reads the account that the key belongs to.
    pub ReadAccount: Get "/api/accounts/me" -> 200 Account
}

endpoint! {
    /// Sums up the account's calls.
    pub ReadCallUsage: Get "/api/accounts/me/usage/calls" query CallFilter, -> 200 CallUsage
}

endpoint! {
    /// Says how many calls there were at a time.
    pub ReadConcurrency: Get "/api/accounts/me/usage/concurrency" query ConcurrencyQuery, -> 200 ConcurrencyUsage
}

endpoint! {
    /// Says how many minutes are billed, by the day.
    pub ReadBillingUsage: Get "/api/accounts/me/billing/usage" query BillingUsageQuery, -> 200 BillingUsage
}

endpoint! {
    /// Reads where bills go.
    pub ReadBilling: Get "/api/accounts/me/billing" -> 200 AccountBilling
}

endpoint! {
    /// Lists invoices. Such a page says no total.
    pub ListInvoices: Get "/api/accounts/me/billing/invoices" query ListInvoicesQuery, -> 200 Page<Invoice>
}

endpoint! {
    /// Says for which providers of voices the account has keys.
    pub ReadTtsKeys: Get "/api/accounts/me/tts_api_keys" -> 200 TtsKeys
}

endpoint! {
    /// Sets and removes keys for providers of voices.
    pub UpdateTtsKeys: Patch "/api/accounts/me/tts_api_keys" body TtsKeysChange, -> 200 TtsKeys
}

record! {
    /// An account.
    pub resource struct Account {
        /// Its id.
        account_id: AccountId,
        /// Its name.
        name: String,
        /// Where its bills can be seen.
        billing_url: String => String::new(),
        /// Free time that calls have used.
        free_time_used: String => String::new(),
        /// Free time that is left.
        free_time_remaining: String => String::new(),
        /// Whether the account has paid.
        has_active_subscription: bool => false,
        /// For what.
        subscription_tier: Option<String>,
        /// How often.
        subscription_cadence: Option<String>,
        /// Until when.
        subscription_expiration: Option<Timestamp>,
        /// When that changes.
        subscription_scheduled_update: Option<Timestamp>,
        /// When it pays again.
        subscription_renewal: Option<Timestamp>,
        /// How many of its calls have not ended.
        active_calls: u64 => 0,
        /// How many calls there may be at a time.
        allowed_concurrent_calls: Option<u64>,
        /// How many voices of its own it may have.
        allowed_voices: Option<u64>,
        /// How many corpora it may have.
        allowed_corpora: Option<u64>,
    }
}

record! {
    /// Where bills go.
    #[derive(Default)]
    pub resource struct AccountBilling {
        /// How they are paid, in part hidden.
        payment_method: Option<String>,
        /// Where they are sent.
        billing_email: Option<String>,
    }
}
