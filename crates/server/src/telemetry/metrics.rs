//! Figures of the whole server for whoever watches over it, in the text format of OpenMetrics, which Prometheus scrapes.
//!
//! Owns which figures there are, their names and their buckets. What has a name of its own in a figure (a reason, a kind of event, a
//! route) is one of a known number of names; nothing that a user chose is, so that no user makes figures without end. Counting
//! happens where things happen and costs some ten nanoseconds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::lateness::{self, Lateness};

/// The media type of [`Metrics::render`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds that turns and their parts take.
const TURN_BUCKETS: [f64; 12] = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0];
/// Seconds that requests take.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Seconds that calls last.
const CALL_BUCKETS: [f64; 9] = [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

/// All figures of one server. Clones count into the same.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

struct Figures {
    registry: Registry,
    connections: Gauge,
    connections_closed: Family<Reason, Counter>,
    live: Gauge,
    created: Counter,
    refused: Family<Reason, Counter>,
    joined: Counter,
    ended: Family<Reason, Counter>,
    lasted: Histogram,
    lateness: Arc<Lateness>,
    turns: Family<Outcome, Counter>,
    turn_parts: Family<Part, Histogram, fn() -> Histogram>,
    tools: Histogram,
    events: Family<Kind, Counter>,
    objects_waiting: Gauge,
    objects_handed_over: Counter,
    object_failures: Family<Operation, Counter>,
    requests: Family<Answer, Counter>,
    request_times: Family<Route, Histogram, fn() -> Histogram>,
    nodes: Gauge,
    nodes_lost: Counter,
    leases: Gauge,
    letters: Family<Letter, Counter>,
}

/// Why the server closes a connection by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// It waited for a request, and its place was needed.
    Dismissed,
    /// There was no place for it.
    Refused,
    /// It never sent the head of a first request.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Letter {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let turn_histogram: fn() -> Histogram = || Histogram::new(TURN_BUCKETS);
        let request_histogram: fn() -> Histogram = || Histogram::new(REQUEST_BUCKETS);
        let mut figures = Figures {
            registry: Registry::default(),
            connections: Gauge::default(),
            connections_closed: Family::default(),
            live: Gauge::default(),
            created: Counter::default(),
            refused: Family::default(),
            joined: Counter::default(),
            ended: Family::default(),
            lasted: Histogram::new(CALL_BUCKETS),
            lateness: Arc::default(),
            turns: Family::default(),
            turn_parts: Family::new_with_constructor(turn_histogram),
            tools: Histogram::new(TURN_BUCKETS),
            events: Family::default(),
            objects_waiting: Gauge::default(),
            objects_handed_over: Counter::default(),
            object_failures: Family::default(),
            requests: Family::default(),
            request_times: Family::new_with_constructor(request_histogram),
            nodes: Gauge::default(),
            nodes_lost: Counter::default(),
            leases: Gauge::default(),
            letters: Family::default(),
        };
        figures.register();
        Self(Arc::new(figures))
    }
}

impl Figures {
    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process));
        let ours = self.registry.sub_registry_with_prefix("antiphon");
        ours.register(
            "connections",
            "Connections that are open, those of calls included",
            self.connections.clone(),
        );
        ours.register(
            "connections_closed",
            "Connections that the server closed by itself, by why",
            self.connections_closed.clone(),
        );
        ours.register("calls_live", "Calls that wait for a join or are in progress", self.live.clone());
        ours.register("calls_created", "Calls that were created", self.created.clone());
        ours.register("calls_refused", "Calls that were not created, by why", self.refused.clone());
        ours.register("calls_joined", "Calls that somebody joined", self.joined.clone());
        ours.register("calls_ended", "Calls that have ended, by why", self.ended.clone());
        let seconds = || Unit::Seconds;
        ours.register_with_unit(
            "call_duration",
            "How long calls lasted from their join",
            seconds(),
            self.lasted.clone(),
        );
        ours.register_collector(Box::new(Arc::clone(&self.lateness)));
        ours.register("turns", "Turns that are over, by what became of their answers", self.turns.clone());
        ours.register_with_unit(
            "turn_latency",
            "From the user's last sample to the agent's first one (part \"reply\"), and what it was spent on",
            seconds(),
            self.turn_parts.clone(),
        );
        ours.register_with_unit("tool_duration", "How long tools took", seconds(), self.tools.clone());
        ours.register(
            "events",
            "Events of calls, by kind; docs/compatibility.md lists them",
            self.events.clone(),
        );
        ours.register(
            "objects_waiting",
            "Files that wait to be handed to object storage, as far as they were counted (up to 1024)",
            self.objects_waiting.clone(),
        );
        ours.register(
            "objects_handed_over",
            "Files that were handed to object storage",
            self.objects_handed_over.clone(),
        );
        ours.register(
            "object_failures",
            "What object storage did not do, by what it was asked for",
            self.object_failures.clone(),
        );
        ours.register("http_requests", "Requests that were answered", self.requests.clone());
        ours.register_with_unit(
            "http_request_duration",
            "How long answers took",
            seconds(),
            self.request_times.clone(),
        );
        ours.register(
            "nodes",
            "Nodes of the cluster, this one among them; 0 without a cluster",
            self.nodes.clone(),
        );
        ours.register("nodes_lost", "Nodes that this one judged lost", self.nodes_lost.clone());
        ours.register("leases", "Jobs of the cluster that this node does", self.leases.clone());
        ours.register("letters", "What this node sent to others, by kind", self.letters.clone());
    }
}

impl Metrics {
    /// How late calls are woken.
    #[must_use]
    pub fn lateness(&self) -> &Lateness {
        &self.0.lateness
    }

    pub(crate) fn live(&self, calls: usize) {
        self.0.live.set(i64::try_from(calls).unwrap_or(i64::MAX));
    }

    pub(crate) fn created(&self) {
        self.0.created.inc();
    }

    pub(crate) fn connection_opened(&self) {
        self.0.connections.inc();
    }

    pub(crate) fn connection_ended(&self) {
        self.0.connections.dec();
    }

    /// The server closes a connection by itself.
    pub(crate) fn connection_closed(&self, why: Parting) {
        let reason = match why {
            Parting::Dismissed => "dismissed",
            Parting::Refused => "refused",
            Parting::Silent => "silent",
        };
        self.0.connections_closed.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.0.refused.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn joined(&self) {
        self.0.joined.inc();
    }

    /// A call has ended, so long after it was joined, if it was.
    pub(crate) fn ended(&self, reason: &'static str, lasted: Option<Duration>) {
        self.0.ended.get_or_create(&Reason { reason }).inc();
        if let Some(lasted) = lasted {
            self.0.lasted.observe(lasted.as_secs_f64());
        }
    }

    pub(crate) fn turn(&self, outcome: &'static str) {
        self.0.turns.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn turn_part(&self, part: &'static str, took: Duration) {
        self.0.turn_parts.get_or_create(&Part { part }).observe(took.as_secs_f64());
    }

    pub(crate) fn tool(&self, took: Duration) {
        self.0.tools.observe(took.as_secs_f64());
    }

    pub(crate) fn event(&self, kind: &'static str, severity: &'static str) {
        self.0.events.get_or_create(&Kind { kind, severity }).inc();
    }

    /// So many files wait to be handed to object storage.
    pub(crate) fn objects_waiting(&self, files: usize) {
        self.0.objects_waiting.set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    pub(crate) fn object_handed_over(&self) {
        self.0.objects_handed_over.inc();
    }

    pub(crate) fn object_failed(&self, operation: &'static str) {
        self.0.object_failures.get_or_create(&Operation { operation }).inc();
    }

    /// A request was answered: one of a route that there is, which `route` says as the router has it.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.0.requests.get_or_create(&Answer { method, route: route.to_owned(), status }).inc();
        self.0.request_times.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// How many nodes there are, and how many of their common jobs this one does.
    pub(crate) fn cluster(&self, nodes: usize, leases: usize) {
        self.0.nodes.set(i64::try_from(nodes).unwrap_or(i64::MAX));
        self.0.leases.set(i64::try_from(leases).unwrap_or(i64::MAX));
    }

    pub(crate) fn nodes_lost(&self, count: usize) {
        self.0.nodes_lost.inc_by(count as u64);
    }

    pub(crate) fn letter(&self, kind: &'static str) {
        self.0.letters.get_or_create(&Letter { kind }).inc();
    }

    /// All figures as they are now.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.registry)
            .expect("a string takes all that is written");
        text
    }
}

impl Collector for Lateness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.counts();
        let buckets: Vec<(f64, u64)> =
            lateness::BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]).zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut metric = encoder.encode_descriptor(
            "wakeup_lateness",
            "How much later than they asked for calls are woken: frames leave as late as that",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        metric.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), count, &buckets, None)
    }
}

/// The process, by the names that Prometheus' client libraries have for these figures.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(process) = process::read() else { return Ok(()) };
        let cpu = ConstCounter::new(process.cpu.as_secs_f64());
        let help = "Computing time of the process";
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            help,
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?)?;
        let memory = ConstGauge::new(i64::try_from(process.resident_bytes).unwrap_or(i64::MAX));
        let help = "Resident memory of the process";
        let unit = Some(&Unit::Bytes);
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            help,
            unit,
            MetricType::Gauge,
        )?)?;
        let files = ConstGauge::new(i64::try_from(process.open_files).unwrap_or(i64::MAX));
        let help = "Open file descriptors, sockets among them";
        files.encode(encoder.encode_descriptor("process_open_fds", help, None, MetricType::Gauge)?)?;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks =
                ConstGauge::new(i64::try_from(runtime.metrics().num_alive_tasks()).unwrap_or(i64::MAX));
            let help = "Tasks of the server that are there";
            tasks.encode(encoder.encode_descriptor("antiphon_tasks", help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

/// What Linux tells of this process (proc(5)); elsewhere nothing.
mod process {
    use std::time::Duration;

    pub(super) struct Process {
        pub(super) cpu: Duration,
        pub(super) resident_bytes: u64,
        pub(super) open_files: usize,
    }

    pub(super) fn read() -> Option<Process> {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Process {
            cpu: cpu.try_into().ok()?,
            resident_bytes: pages * rustix::param::page_size() as u64,
            open_files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.created();
        metrics.live(3);
        metrics.joined();
        metrics.refused("late");
        metrics.ended("hangup", Some(Duration::from_secs(20)));
        metrics.turn("answered");
        metrics.turn_part("reply", Duration::from_millis(700));
        metrics.tool(Duration::from_millis(30));
        metrics.event("model.failed", "error");
        metrics.objects_waiting(2);
        metrics.object_handed_over();
        metrics.object_failed("put");
        metrics.answered("GET", "/api/calls/{call_id}", 200, Duration::from_millis(3));
        metrics.lateness().note(Duration::from_micros(1_500));
        let text = metrics.render();
        for line in [
            "antiphon_calls_live 3",
            "antiphon_calls_created_total 1",
            "antiphon_calls_joined_total 1",
            "antiphon_calls_refused_total{reason=\"late\"} 1",
            "antiphon_calls_ended_total{reason=\"hangup\"} 1",
            "antiphon_call_duration_seconds_bucket{le=\"30.0\"} 1",
            "antiphon_turns_total{outcome=\"answered\"} 1",
            "antiphon_turn_latency_seconds_bucket{le=\"0.5\",part=\"reply\"} 0",
            "antiphon_turn_latency_seconds_bucket{le=\"0.75\",part=\"reply\"} 1",
            "antiphon_tool_duration_seconds_count 1",
            "antiphon_events_total{kind=\"model.failed\",severity=\"error\"} 1",
            "antiphon_objects_waiting 2",
            "antiphon_objects_handed_over_total 1",
            "antiphon_object_failures_total{operation=\"put\"} 1",
            "antiphon_http_requests_total{method=\"GET\",route=\"/api/calls/{call_id}\",status=\"200\"} 1",
            "antiphon_wakeup_lateness_seconds_bucket{le=\"0.001\"} 0",
            "antiphon_wakeup_lateness_seconds_bucket{le=\"0.002\"} 1",
            "antiphon_wakeup_lateness_seconds_bucket{le=\"+Inf\"} 1",
            "antiphon_wakeup_lateness_seconds_sum 0.0015",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
