//! API keys: making them, listing them by what they are called, and revoking them (protocol.md 7.13).
//!
//! Owns the endpoints under `/api/api_keys`. The key itself is in one answer only: the one that it was made with.

use crate::endpoint::{NoBody, endpoint};
use crate::ids::ApiKeyPrefix;
use crate::json::check::{Chars, Within};
use crate::json::record;
use crate::page::Page;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

endpoint! {
    /// Makes a key of the account. The answer is the only one that has the key itself.
    pub CreateApiKey: Post "/api/api_keys" body ApiKeyRequest, -> 201 NewApiKey
}

endpoint! {
    /// Lists the account's keys, those that were revoked included, newest first.
    pub ListApiKeys: Get "/api/api_keys" query ListApiKeysQuery, -> 200 Page<ApiKey>
}

endpoint! {
    /// Reads one key.
    pub ReadApiKey: Get "/api/api_keys/{api_key_prefix}" path ApiKeyPrefix, -> 200 ApiKey
}

endpoint! {
    /// Changes a key: the same as [`UpdateApiKey`], since there is nothing else in a key that could be replaced.
    pub ReplaceApiKey: Put "/api/api_keys/{api_key_prefix}" path ApiKeyPrefix, body ApiKeyChange, -> 200 ApiKey | 409
}

endpoint! {
    /// Revokes a key, for good.
    pub UpdateApiKey: Patch "/api/api_keys/{api_key_prefix}" path ApiKeyPrefix, body ApiKeyChange, -> 200 ApiKey | 409
}

endpoint! {
    /// Removes a key, which nobody can use from then on.
    pub DeleteApiKey: Delete "/api/api_keys/{api_key_prefix}" path ApiKeyPrefix, -> 204 NoBody | 409
}

record! {
    /// What a key is made from.
    pub struct ApiKeyRequest {
        /// What it is called, at most 50 characters. Several keys may be called the same.
        name: String where Chars(1, 50),
        /// When it ceases to open anything; never, if this is not given.
        expiry_date: Option<Timestamp>,
    }
}

record! {
    /// What can be changed of a key.
    #[derive(Default)]
    pub struct ApiKeyChange {
        /// True revokes it. False leaves a valid key valid; a revoked one stays revoked.
        revoked: Option<bool>,
    }
}

record! {
    /// A key, without what makes it a key.
    pub resource struct ApiKey {
        /// The part before its dot, which names it.
        prefix: ApiKeyPrefix,
        /// When it was made.
        created: Timestamp,
        /// The key that it was made with: its prefix, or its name in the server's configuration. Null if the server made it.
        creator: Option<String>,
        /// What it is called.
        name: String,
        /// When it ceases to open anything.
        expiry_date: Option<Timestamp>,
        /// Whether it was revoked.
        revoked: bool => false,
    }
}

record! {
    /// A key that was just made.
    pub resource struct NewApiKey {
        /// The part before its dot, which names it.
        prefix: ApiKeyPrefix,
        /// When it was made.
        created: Timestamp,
        /// The key that it was made with: its prefix, or its name in the server's configuration.
        creator: Option<String>,
        /// The key itself, which is not shown again.
        secret: Secret,
        /// Whether it was revoked.
        revoked: bool => false,
        /// What it is called.
        name: String,
        /// When it ceases to open anything.
        expiry_date: Option<Timestamp>,
    }
}

record! {
    /// The query of [`ListApiKeys`].
    #[derive(Default)]
    pub struct ListApiKeysQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Keys on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}
