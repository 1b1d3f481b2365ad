//! How much agents were used (protocol.md 7.12).

use crate::json::record;
use crate::rest::calls::{AgentBasic, Day};

record! {
    /// How much an agent was used.
    pub resource struct AgentUsage {
        /// The agent.
        agent: AgentBasic,
        /// By the day, oldest first; days without calls are left out.
        usage: Vec<AgentDailyUsage>,
    }
}

record! {
    /// How much an agent was used on one day (UTC).
    pub resource struct AgentDailyUsage {
        /// The day.
        date: Day,
        /// Minutes that are billed, or would be.
        billed_minutes: f64 => 0.0,
        /// Calls that were created.
        calls: u64 => 0,
    }
}
