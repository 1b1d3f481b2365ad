//! Call throttles: how many calls may be created within a time (protocol.md 7.10).
//!
//! Owns the endpoints under `/api/call_throttles`. What a throttle counts is the server's business.

use crate::endpoint::{NoBody, endpoint};
use crate::ids::ThrottleId;
use crate::json::check::{Chars, Items, Within};
use crate::json::record;
use crate::page::Page;
use crate::patch::Patch;
use crate::timestamp::Timestamp;

endpoint! {
    /// Creates a throttle.
    pub CreateThrottle: Post "/api/call_throttles" body CallThrottleRequest, -> 201 CallThrottle
}

endpoint! {
    /// Lists the account's throttles.
    pub ListThrottles: Get "/api/call_throttles" query ListThrottlesQuery, -> 200 Page<CallThrottle>
}

endpoint! {
    /// Reads one throttle.
    pub ReadThrottle: Get "/api/call_throttles/{throttle_id}" path ThrottleId, -> 200 CallThrottle
}

endpoint! {
    /// Replaces a throttle. What it has counted still counts.
    pub ReplaceThrottle: Put "/api/call_throttles/{throttle_id}"
        path ThrottleId, body CallThrottleRequest, -> 200 CallThrottle | 409
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateThrottle: Patch "/api/call_throttles/{throttle_id}" path ThrottleId, body Patch<CallThrottleRequest>, -> 200 CallThrottle | 409
}

endpoint! {
    /// Removes a throttle, unless a batch that is not over counts on it.
    pub DeleteThrottle: Delete "/api/call_throttles/{throttle_id}" path ThrottleId, -> 204 NoBody | 409
}

record! {
    /// What a throttle is created from.
    pub struct CallThrottleRequest {
        /// Its name, 1 to 64 characters; an account's throttles have different names.
        name: String where Chars(1, 64),
        /// What has to hold, all of it; 1 to 10 rules.
        rules: Vec<CallThrottleRule> where Items(1, 10),
    }
}

record! {
    /// A limit on how many calls are created within a window that slides along with the time.
    pub struct CallThrottleRule {
        /// How many calls, 1 to 100.
        max_calls: u32 where Within(1, 100),
        /// Within how many seconds, 1 to 86400.
        window_seconds: u32 where Within(1, 86_400),
    }
}

record! {
    /// A throttle.
    pub resource struct CallThrottle {
        /// Its id.
        throttle_id: ThrottleId,
        /// Its name.
        name: String,
        /// When it was created.
        created: Timestamp,
        /// What has to hold, all of it.
        rules: Vec<CallThrottleRule>,
    }
}

record! {
    /// The query of [`ListThrottles`].
    #[derive(Default)]
    pub struct ListThrottlesQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Throttles on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}
