//! How much of everything one session may have. The defaults are those of VoxEngine, where it says any.

use std::time::Duration;

/// The limits of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Characters of one file. Default 256 × 1024.
    pub source: usize,
    /// Bytes of the JavaScript heap. Default 16 MiB; at least 1 MiB, of which the runtime's own objects take a quarter.
    pub memory: usize,
    /// How long one callback may run. Default 1 s.
    pub callback: Duration,
    /// How long the session may be kept waiting by one of the engine's own functions, which nothing interrupts, before it ends without
    /// the scenario. Default 30 s.
    pub stuck: Duration,
    /// Timers that run at a time. Default 100.
    pub timers: usize,
    /// The shortest delay of a timer; shorter ones become this. Default 100 ms.
    pub shortest_timer: Duration,
    /// How long a call that comes in may stay unanswered. Default 60 s.
    pub unanswered: Duration,
    /// How long a session goes on without a call. Default 60 s.
    pub without_calls: Duration,
    /// How long a session may last in all. Default one hour.
    pub session: Duration,
    /// HTTP requests that are under way at a time; further ones wait. Default 3.
    pub requests: usize,
    /// HTTP requests that are under way or wait; further ones are refused. Default 35.
    pub waiting_requests: usize,
    /// How long a session that ends waits for requests that are under way. Default 90 s.
    pub last_requests: Duration,
    /// Calls at a time, those that come in and those that go out. Default 20.
    pub calls: usize,
    /// Clients at a time. Default 20.
    pub clients: usize,
    /// Events of a client that are kept until somebody listens to it. Default 1000; the oldest give way.
    pub kept_events: usize,
    /// What one callback may ask for: commands and lines for the log. Default 10,000.
    pub deeds: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: 256 * 1024,
            memory: 16 * 1024 * 1024,
            callback: Duration::from_secs(1),
            stuck: Duration::from_secs(30),
            timers: 100,
            shortest_timer: Duration::from_millis(100),
            unanswered: Duration::from_secs(60),
            without_calls: Duration::from_secs(60),
            session: Duration::from_secs(60 * 60),
            requests: 3,
            waiting_requests: 35,
            last_requests: Duration::from_secs(90),
            calls: 20,
            clients: 20,
            kept_events: 1000,
            deeds: 10_000,
        }
    }
}
