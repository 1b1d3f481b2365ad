//! `/api/accounts/me/usage`: what the account has used.

pub(in crate::http) mod calls;
pub(in crate::http) mod concurrency;
