//! What is left of calls that were deleted (protocol.md 1.8, 7.14).

use crate::duration::WireDuration;
use crate::endpoint::endpoint;
use crate::ids::{AccountId, CallId};
use crate::json::record;
use crate::page::Page;
use crate::rest::calls::{DeletedCallFilter, EndReason};
use crate::timestamp::Timestamp;

endpoint! {
    /// Lists the account's deleted calls, those that were created last first.
    pub ListDeletedCalls: Get "/api/deleted_calls" query DeletedCallFilter, -> 200 Page<CallTombstone>
}

endpoint! {
    /// Reads what is left of one deleted call.
    pub ReadDeletedCall: Get "/api/deleted_calls/{call_id}" path CallId, -> 200 CallTombstone
}

record! {
    /// What is left of a call: that there was one, and nothing of what was in it.
    pub resource struct CallTombstone {
        /// The call's id.
        call_id: CallId,
        /// Whose it was.
        account_id: AccountId,
        /// When it was created.
        created: Timestamp,
        /// When it was deleted.
        deletion_time: Timestamp,
        /// When a client joined.
        joined: Option<Timestamp>,
        /// When it ended.
        ended: Option<Timestamp>,
        /// How long it could have lasted.
        max_duration: WireDuration => WireDuration::from_secs(3600),
        /// Why it ended.
        end_reason: Option<EndReason>,
        /// Whether it was recorded.
        recording_enabled: bool => false,
        /// Whether it had a summary.
        had_summary: bool => false,
    }
}
