//! `antiphon bench`: how many calls a server carries, and how well.
//!
//! Callers stream speech over real sockets, take turns, interrupt and have tools called; what they notice is what is measured, so
//! any compatible server can be. Without `--url` a server of our own is started for it, with backends that take no time, on
//! cores of its own; beside it, the same traffic goes over bare sockets, and each part of a call runs alone: the floor below which no
//! server can come.

mod answer;
mod attack;
mod caller;
mod figures;
mod floor;
mod hostile;
mod parts;
mod plot;
mod report;
mod server;
mod speech;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::json::from_request;
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, StartCallRequest};
use antiphon_audio::SampleRate;
use antiphon_client::rest::Client;
use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::{self, FuturesUnordered};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::exit::misuse;
use crate::stop::Stop;

use attack::Attack;
use caller::{Caller, Manner, Shared};
use figures::{Step, Tally};
use hostile::{Attackers, Held, Siege};
use server::{Cores, Meter, Process, Server, TOOL};
use speech::{Speech, samples_in_a_frame};

pub(crate) use attack::{Args as AttackArgs, run as run_attack};
pub(crate) use floor::{Args as FloorArgs, run as run_floor};
pub(crate) use parts::{Args as PartsArgs, run as run_parts};

/// Calls that are being created at a time, and how many begin in a second: a server is to carry calls, not to be stormed.
const CREATING: usize = 8;
const BEGINNING_A_SECOND: u32 = 100;
/// After the last call has begun, before anything counts.
const SETTLING: Duration = Duration::from_secs(3);
/// Until an attack is at its full strength: 10,000 connections take their time.
const BUILDING_UP: Duration = Duration::from_secs(7);
/// How long the floor is measured.
const FLOOR: Duration = Duration::from_secs(8);
/// The most calls a ramp goes to.
const MOST_CALLS: u32 = 20_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon bench                                             50 calls on one core of this machine
  antiphon bench --calls 50,100,200 --rate 48000             several numbers of calls, one after another
  antiphon bench --calls 100 --ramp 100 --svg load.svg       more and more, until a limit breaks
  antiphon bench --calls 200 --hostile                       200 calls while the server is attacked in every way there is
  antiphon bench --url http://10.0.0.7:8080 --json load.json another server, by ANTIPHON_API_KEY; its model is asked for a tool
                                                             named lookUp now and then")]
pub(crate) struct Args {
    /// Calls at a time. Several numbers are measured one after another.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "50", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CALLS)))]
    calls: Vec<u32>,
    /// Go on from there in steps of so many calls, until a limit breaks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CALLS)))]
    ramp: Option<u32>,
    /// Seconds that each number of calls is measured for.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=86_400))]
    seconds: u32,
    /// Samples per second of the calls' audio, both ways.
    #[arg(long, value_name = "HZ", default_value = "16000", value_parser = rate)]
    rate: SampleRate,
    /// What callers say: a WAV file with speech. May be repeated; without it, built-in sentences.
    #[arg(long, value_name = "FILE")]
    speech: Vec<PathBuf>,
    /// Every Nth turn interrupts the agent; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 4)]
    interrupt_every: u32,
    /// Every Nth turn asks for a tool, in writing; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 5)]
    tool_every: u32,
    /// Milliseconds of the agent's audio that callers buffer.
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..=600_000))]
    client_buffer_ms: u32,
    /// Measure the calls again under each of these attacks; without a name, under all of them.
    #[arg(long, value_name = "ATTACK,...", value_delimiter = ',', num_args = 0.., conflicts_with = "ramp")]
    hostile: Option<Vec<Attack>>,
    /// A server that is running, instead of one that is started for this. Its key is in ANTIPHON_API_KEY or ULTRAVOX_API_KEY.
    #[arg(long)]
    url: Option<String>,
    /// The process of that server, if it is on this machine: its computing time and memory are then measured too.
    #[arg(long, value_name = "PID", requires = "url")]
    pid: Option<u32>,
    /// Cores that the server of our own gets; the callers get the others. 0 shares all.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "url")]
    cores: usize,
    /// Leave out the floor.
    #[arg(long)]
    no_floor: bool,
    /// The limit for the 99th percentile of the lateness of frames, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20.0, value_parser = positive)]
    max_lateness_ms: f64,
    /// The limit for the 99th percentile of answers to written questions, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2_000.0, value_parser = positive)]
    max_reply_ms: f64,
    /// Write all figures to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the figures by the number of calls.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn rate(text: &str) -> Result<SampleRate, String> {
    let hz = text.parse().map_err(|_| "it must be a number of samples per second".to_owned())?;
    SampleRate::new(hz).map_err(|error| error.to_string())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "it must be a number of milliseconds above 0".to_owned())
}

/// Divides the cores before there are threads that would have to be moved.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let cores = if args.url.is_some() { None } else { Some(Cores::divide(args.cores)?) };
    let threads = cores.as_ref().map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        |cores| cores.of_callers,
    );
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?
        .block_on(measure(args, cores))
}

async fn measure(args: Args, cores: Option<Cores>) -> anyhow::Result<()> {
    let mut stop = Stop::on_signals()?;
    let speech = Arc::new(Speech::read(&args.speech, args.rate)?);
    let own = match &cores {
        Some(cores) => Some(Server::start(cores).await?),
        None => None,
    };
    let bench = Bench::new(args, speech, own.as_ref())?;
    if let Some(attacks) = bench.args.hostile.clone() {
        let attacks = if attacks.is_empty() { Attack::ALL.to_vec() } else { attacks };
        let besieged = tokio::select! {
            besieged = bench.sieges(&attacks, own.as_ref(), cores.as_ref()) => besieged,
            () = stop.wanted() => Err(anyhow::anyhow!("stopped before it was measured")),
        };
        if let Some(server) = own {
            server.stop().await;
        }
        let sieges = besieged?;
        if let Some(path) = &bench.args.json {
            report::write_sieges(path, &bench.subject(cores.as_ref()), &sieges)?;
        }
        return Ok(());
    }
    let measured = tokio::select! {
        measured = bench.steps(cores.as_ref()) => measured,
        () = stop.wanted() => Err(anyhow::anyhow!("stopped before it was measured")),
    };
    if let Some(server) = own {
        server.stop().await;
    }
    let (steps, broken) = measured?;
    let subject = bench.subject(cores.as_ref());
    report::end(broken.as_deref())?;
    if let Some(path) = &bench.args.json {
        report::write_json(path, &subject, &steps, broken.as_deref())?;
    }
    if let Some(path) = &bench.args.svg {
        std::fs::write(path, plot::draw(&subject, &steps))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let failed: u64 = steps.iter().flat_map(|step| step.problems.values()).sum();
    // A ramp is to end with a limit; without one, what was asked for was not carried.
    anyhow::ensure!(bench.args.ramp.is_some() || failed == 0, "{failed} things went wrong; see above");
    Ok(())
}

/// What is measured, and with what.
struct Bench {
    args: Args,
    client: Client,
    speech: Arc<Speech>,
    meter: Option<Meter>,
    request: StartCallRequest,
}

impl Bench {
    fn new(args: Args, speech: Arc<Speech>, own: Option<&Server>) -> anyhow::Result<Self> {
        let builder = match own {
            Some(server) => Client::builder().url(&server.process.url).key(&server.key),
            None => {
                let url = args.url.as_deref().context("there is no server to measure")?;
                Client::builder().url(url).environment(|name| std::env::var(name).ok())
            }
        };
        let client = builder.build().map_err(|error| misuse(error.to_string()))?;
        let meter = own.map_or_else(|| args.pid.map(Meter), |server| server.process.meter());
        let request = request(args.rate, args.client_buffer_ms)?;
        Ok(Self { args, client, speech, meter, request })
    }

    /// What the report is about.
    fn subject(&self, cores: Option<&Cores>) -> report::Subject {
        report::Subject {
            server: match (&self.args.url, cores) {
                (Some(url), _) => url.clone(),
                (None, cores) => {
                    let count = cores.map_or(1, |cores| cores.of_server);
                    let cores = if count == 1 { "one core" } else { "several cores" };
                    format!(
                        "antiphon {} on {cores}, with backends that take no time",
                        env!("CARGO_PKG_VERSION")
                    )
                }
            },
            rate_hz: self.args.rate.hz(),
            speech: self.speech.source.clone(),
            client_buffer_ms: self.args.client_buffer_ms,
            shared: cores.is_some_and(|cores| cores.shared),
        }
    }

    /// Measures each number of calls; says which limit broke, if one did.
    async fn steps(&self, cores: Option<&Cores>) -> anyhow::Result<(Vec<Step>, Option<String>)> {
        report::begin(&self.subject(cores))?;
        let idle_kib = self.meter.map(Meter::memory_kib).transpose()?;
        let alone = match cores {
            Some(cores) if !self.args.no_floor => {
                Some(parts::measure(cores, self.args.rate, &self.args.speech).await?)
            }
            Some(_) | None => None,
        };
        let (mut steps, mut broken) = (Vec::new(), None);
        let mut numbers = self.args.calls.iter().copied().collect::<std::collections::VecDeque<_>>();
        while let Some(calls) = numbers.pop_front() {
            let mut step = self.step(calls, idle_kib).await?;
            if let (Some(cores), false) = (cores, self.args.no_floor) {
                let sockets = self.floor(cores, &step).await?;
                step.alone = alone.as_ref().map(|alone| parts::shares(alone, &step, sockets));
                step.floor_percent_per_call = Some(sockets);
            }
            report::step(&step)?;
            broken = self.broken(&step);
            steps.push(step);
            if let (Some(by), true, None) = (self.args.ramp, numbers.is_empty(), &broken) {
                numbers.extend(calls.checked_add(by).filter(|calls| *calls <= MOST_CALLS));
            }
            if broken.is_some() && self.args.ramp.is_some() {
                break;
            }
        }
        Ok((steps, broken))
    }

    /// Measures the first number of calls without an attack, and with each.
    async fn sieges(
        &self,
        attacks: &[Attack],
        own: Option<&Server>,
        cores: Option<&Cores>,
    ) -> anyhow::Result<Vec<Siege>> {
        report::begin(&self.subject(cores))?;
        let calls = self.args.calls.first().copied().unwrap_or(1);
        report::begin_sieges(calls)?;
        let mut sieges = Vec::new();
        for attack in [None].into_iter().chain(attacks.iter().copied().map(Some)) {
            let siege = self.siege(calls, attack, own).await?;
            report::siege(&siege)?;
            sieges.push(siege);
        }
        Ok(sieges)
    }

    async fn siege(&self, calls: u32, attack: Option<Attack>, own: Option<&Server>) -> anyhow::Result<Siege> {
        let mut tally = Tally::default();
        let urls = self.create(calls, &mut tally).await;
        let load = Load::begin(urls, self.manner(), Arc::clone(&self.speech), &mut tally).await;
        sleep(SETTLING).await;
        let seconds = u64::from(self.args.seconds);
        let url = own.map_or(self.args.url.as_deref(), |server| Some(&server.process.url));
        let url = url.context("there is no server to attack")?;
        let attackers = match attack {
            Some(attack) => Some(Attackers::begin(attack, url, own, BUILDING_UP.as_secs() + seconds + 1)?),
            None => None,
        };
        sleep(BUILDING_UP).await;
        let cpu_before = self.meter.map(Meter::cpu).transpose()?;
        let (took, held) = load.count(Duration::from_secs(seconds), || Held::by(self.meter)).await?;
        let cpu_after = self.meter.map(Meter::cpu).transpose()?;
        let outcome = match attackers {
            Some(attackers) => Some(attackers.end().await?),
            None => None,
        };
        load.end(&mut tally).await;
        let used = cpu_before.zip(cpu_after).map(|(before, after)| after - before);
        Ok(Siege {
            attack: attack.map_or("none", Attack::name),
            attackers: attack.map_or(0, Attack::attackers),
            step: Step::of(calls, took, tally),
            memory_kib: held.memory_kib,
            descriptors: held.descriptors,
            cpu_percent: used.map(|used| used.as_secs_f64() / took * 100.0),
            outcome,
        })
    }

    /// How the callers that are measured behave.
    fn manner(&self) -> Manner {
        Manner {
            rate: self.args.rate,
            interrupt_every: self.args.interrupt_every,
            tool_every: self.args.tool_every,
            silent: false,
        }
    }

    /// Which limit the step broke.
    fn broken(&self, step: &Step) -> Option<String> {
        let Args { max_lateness_ms, max_reply_ms, .. } = self.args;
        let calls = step.calls;
        if let Some((problem, count)) = step.problems.iter().next() {
            return Some(format!("with {calls} calls: {problem} ({count} times)"));
        }
        let over = |distribution: Option<figures::Distribution>, limit: f64| {
            distribution.map(|found| found.p99).filter(|p99| *p99 > limit)
        };
        if let Some(p99) = over(step.frame_lateness_ms, max_lateness_ms) {
            return Some(format!(
                "with {calls} calls 1 % of frames are {p99:.1} ms late, more than {max_lateness_ms} ms"
            ));
        }
        let p99 = over(step.written_reply_ms, max_reply_ms)?;
        Some(format!(
            "with {calls} calls 1 % of written questions wait {p99:.0} ms, more than {max_reply_ms} ms"
        ))
    }

    async fn step(&self, calls: u32, idle_kib: Option<u64>) -> anyhow::Result<Step> {
        let mut tally = Tally::default();
        let urls = self.create(calls, &mut tally).await;
        let load = Load::begin(urls, self.manner(), Arc::clone(&self.speech), &mut tally).await;
        sleep(SETTLING).await;
        let cpu_before = self.meter.map(Meter::cpu).transpose()?;
        let (seconds, memory_kib) = load
            .count(Duration::from_secs(self.args.seconds.into()), || {
                self.meter.map(Meter::memory_kib).transpose()
            })
            .await?;
        let cpu_after = self.meter.map(Meter::cpu).transpose()?;
        load.end(&mut tally).await;

        let mut step = Step::of(calls, seconds, tally);
        let per_call = |total: f64| total / f64::from(calls);
        if let (Some(before), Some(after)) = (cpu_before, cpu_after) {
            step.cpu_percent_per_call = Some(per_call((after - before).as_secs_f64() / seconds * 100.0));
        }
        if let (Some(before), Some(after)) = (idle_kib, memory_kib) {
            step.memory_kib_per_call = Some(per_call(after.saturating_sub(before) as f64));
        }
        Ok(step)
    }

    /// Creates calls and gives their join URLs.
    async fn create(&self, calls: u32, tally: &mut Tally) -> Vec<String> {
        let query = CreateCallQuery::default();
        let created = stream::iter(0..calls)
            .map(|_| self.client.send(CreateCall, &(), &query, &self.request))
            .buffer_unordered(CREATING);
        let mut urls = Vec::with_capacity(calls as usize);
        let mut created = std::pin::pin!(created);
        while let Some(call) = created.next().await {
            match call.map(|call| call.join_url) {
                Ok(Some(url)) => urls.push(url),
                Ok(None) => tally.problem("a call was created without a join URL"),
                Err(error) => tally.problem(format!("a call was not created: {error}")),
            }
        }
        urls
    }

    /// The share of a core that as many frames each way take on bare sockets.
    async fn floor(&self, cores: &Cores, step: &Step) -> anyhow::Result<f64> {
        let frame = samples_in_a_frame(self.args.rate) * 2;
        let mut shares = [0.0; 2];
        for (share, answer) in shares.iter_mut().zip([0, frame]) {
            let arguments = ["bench-floor", "--answer", &answer.to_string()];
            let process = Process::start(cores, &arguments).await?;
            let meter = process.meter().context("the floor has ended")?;
            let urls = vec![process.url.clone(); step.calls as usize];
            let manner = Manner { rate: self.args.rate, interrupt_every: 0, tool_every: 0, silent: true };
            let mut tally = Tally::default();
            let load = Load::begin(urls, manner, Arc::clone(&self.speech), &mut tally).await;
            sleep(Duration::from_secs(1)).await;
            let before = meter.cpu()?;
            let (seconds, ()) = load.count(FLOOR, || Ok(())).await?;
            *share = (meter.cpu()? - before).as_secs_f64() / seconds * 100.0 / f64::from(step.calls);
            load.end(&mut tally).await;
            process.stop().await;
        }
        // The server sends while the agent speaks only; the floor is held to as many frames.
        let [reading, both] = shares;
        let duty = step.frames_received as f64 / step.frames_sent.max(1) as f64;
        Ok(reading + (both - reading).max(0.0) * duty)
    }
}

/// Callers at work.
struct Load {
    callers: JoinSet<Tally>,
    measuring: Arc<AtomicBool>,
    over: watch::Sender<bool>,
}

impl Load {
    /// Joins the calls, one after another.
    async fn begin(urls: Vec<String>, manner: Manner, speech: Arc<Speech>, tally: &mut Tally) -> Self {
        let (over, is_over) = watch::channel(false);
        let measuring = Arc::new(AtomicBool::new(false));
        let shared =
            Shared { manner: Arc::new(manner), speech, measuring: Arc::clone(&measuring), over: is_over };
        let mut load = Self { callers: JoinSet::new(), measuring, over };
        let mut next = Instant::now();
        let mut joining = FuturesUnordered::new();
        for (nth, url) in (0_u32..).zip(urls) {
            next += Duration::from_secs(1) / BEGINNING_A_SECOND;
            let shared = shared.clone();
            joining.push(async move {
                tokio::time::sleep_until(next).await;
                Caller::join(&url, nth, shared).await
            });
        }
        while let Some(joined) = joining.next().await {
            match joined {
                Ok(caller) => {
                    load.callers.spawn(caller.call());
                }
                Err(error) => tally.problem(format!("a call was not joined: {error}")),
            }
        }
        load
    }

    /// Lets what happens count for so long; `read` reads a meter in the middle of it. Gives the seconds it took.
    async fn count<T>(
        &self,
        length: Duration,
        read: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(f64, T)> {
        let began = Instant::now();
        self.measuring.store(true, Ordering::Relaxed);
        sleep(length / 2).await;
        let reading = read()?;
        sleep(length / 2).await;
        self.measuring.store(false, Ordering::Relaxed);
        Ok((began.elapsed().as_secs_f64(), reading))
    }

    /// Hangs up everywhere and adds up what was found.
    async fn end(mut self, tally: &mut Tally) {
        // Callers that have gone already do not need to be told.
        let _ = self.over.send(true);
        while let Some(found) = self.callers.join_next().await {
            match found {
                Ok(found) => tally.add(found),
                Err(error) => tally.problem(format!("a caller of this program failed: {error}")),
            }
        }
    }
}

fn request(rate: SampleRate, client_buffer_ms: u32) -> anyhow::Result<StartCallRequest> {
    let body = json!({
        "systemPrompt": "You answer questions about a bakery in two short sentences. When you are asked in writing to look \
                         something up, call the tool lookUp and say what it found.",
        "firstSpeakerSettings": {"user": {}},
        "medium": {"serverWebSocket": {
            "inputSampleRate": rate.hz(), "outputSampleRate": rate.hz(), "clientBufferSizeMs": client_buffer_ms,
        }},
        "selectedTools": [{"temporaryTool": {
            "modelToolName": TOOL, "description": "Looks up whether something is there.", "client": {},
        }}],
    });
    Ok(from_request(body.to_string().as_bytes())?.value)
}
