//! `/api/agents/{agent_id}/calls`: the calls of an agent.

pub(in crate::http) mod create;
pub(in crate::http) mod list;
