//! `/api/calls/{call_id}/stages/{stage_id}/messages`: what was said in one stage of a call.

pub(in crate::http) mod audio;
