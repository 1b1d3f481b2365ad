//! `/api/deleted_calls`: what is left of calls that were deleted (protocol.md 1.8, 7.14).

pub(super) mod list;
pub(super) mod read;

use antiphon_api::AccountId;
use antiphon_api::rest::deleted_calls::CallTombstone;

use crate::call::resource::end_reason;
use crate::storage::Tombstone;

fn tombstone_resource(stone: &Tombstone) -> CallTombstone {
    CallTombstone {
        call_id: stone.id,
        account_id: AccountId::new(stone.account.0),
        created: stone.created,
        deletion_time: stone.deleted,
        joined: stone.joined,
        ended: stone.ended.map(|(at, _)| at),
        max_duration: stone.max_duration,
        end_reason: stone.ended.map(|(_, reason)| end_reason(reason)),
        recording_enabled: stone.recording_enabled,
        had_summary: stone.had_summary,
    }
}
