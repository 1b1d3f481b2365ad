//! `/api/calls/{call_id}/stages`: what belongs to one stage of a call.

pub(in crate::http) mod messages;
