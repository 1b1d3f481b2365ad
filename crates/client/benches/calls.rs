//! What calls cost a process that holds many: CPU and memory per call, with the server in a process of its own.
//!
//!     cargo bench -p antiphon-client --bench calls -- [CALLS] [SECONDS]
//!
//! The server sends 20 ms of audio every 20 ms and a transcript every 200 ms, and reads what it is sent. The calls are held in two
//! ways: bare, with playback, merged transcripts and a user who speaks all the time; and bridged with a unit that takes and gives as
//! much. Prints and asserts nothing. Reads `/proc`, so Linux only.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says where")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_audio::{SampleRate, write_pcm};
use antiphon_client::bridge::{Bridge, Event as BridgeEvent, Port, send_media_between};
use antiphon_client::playback::Playback;
use antiphon_client::realtime::{Event, Options, connect};
use antiphon_client::transcript::Transcripts;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

const RATE: SampleRate = SampleRate::EAR;
const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: usize = 320;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|argument| argument == "serve") {
        return Runtime::new().unwrap().block_on(serve());
    }
    let number = |at: usize, otherwise: u64| {
        arguments.get(at).map_or(otherwise, |argument| argument.parse().expect("a number"))
    };
    let (calls, seconds) = (number(0, 200), number(1, 20));
    println!("{calls} calls at {RATE} both ways, {seconds} s each; audio in frames of 20 ms");
    for bridged in [false, true] {
        measure(calls, Duration::from_secs(seconds), bridged);
    }
}

/// A server that ends with this.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut process = command.arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("ws://{}/calls/1/server_web_socket", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let (mut out, mut input) = accept_async(stream).await.unwrap().split();
            let reading = async { while let Some(Ok(_)) = input.next().await {} };
            let writing = async {
                let mut audio = Vec::new();
                let tone = antiphon_audio::signal::sine(RATE, 440.0, 0.3, FRAME);
                write_pcm(&tone, &mut audio);
                let mut clock = clock();
                for tick in 0_u64.. {
                    clock.tick().await;
                    if out.send(Message::binary(audio.clone())).await.is_err() {
                        return;
                    }
                    if tick.is_multiple_of(10) {
                        let (ordinal, is_first) = (tick / 500, tick.is_multiple_of(500));
                        let key = if is_first { "text" } else { "delta" };
                        let text = format!(
                            r#"{{"type":"transcript","role":"agent","medium":"voice","{key}":" word","final":false,"ordinal":{ordinal}}}"#
                        );
                        let _ = out.send(Message::text(text)).await;
                    }
                }
            };
            tokio::select! { () = reading => {}, () = writing => {} }
        });
    }
}

fn clock() -> tokio::time::Interval {
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    clock
}

fn measure(calls: u64, duration: Duration, bridged: bool) {
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let url = server.url.clone();
    runtime.block_on(async move {
        // What a first call brings with it, such as certificates, is not each call's.
        let mut first = JoinSet::new();
        start(&mut first, &url, bridged);
        sleep(Duration::from_secs(1)).await;
        let memory_before = resident_kib();
        let mut running = JoinSet::new();
        for _ in 0..calls {
            start(&mut running, &url, bridged);
            // All at once would be a storm, which is not what is measured.
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_secs(2)).await;
        let (began, cpu_before) = (Instant::now(), cpu_seconds());
        sleep(duration).await;
        let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        let memory = resident_kib() - memory_before;
        let per_call = cpu / took / (calls + 1) as f64;
        println!(
            "{}: {:.2} % of a core per call ({:.0} us of CPU per second of call; {:.1} % of a core in all), {:.1} KiB of memory per call",
            if bridged { "bridged" } else { "bare" },
            per_call * 100.0,
            per_call * 1e6,
            cpu / took * 100.0,
            memory as f64 / calls as f64,
        );
        running.shutdown().await;
        first.shutdown().await;
    });
}

fn start(running: &mut JoinSet<()>, url: &str, bridged: bool) {
    let url = url.to_owned();
    if bridged {
        running.spawn(async move { hold_bridged(&url).await });
    } else {
        running.spawn(async move { hold_bare(&url).await });
    }
}

async fn hold_bare(url: &str) {
    let (sender, mut events) = connect(url, &Options::default()).await.unwrap();
    let (mut playback, mut said) = (Playback::new(RATE, FRAME), Transcripts::default());
    let (mut clock, mut speaker) = (clock(), [0; SAMPLES]);
    loop {
        tokio::select! {
            _ = clock.tick() => {
                let _ = sender.audio(&[1_000; SAMPLES]);
                playback.play(&mut speaker);
            }
            event = events.next() => match event {
                Some(Event::Audio(samples)) => playback.push(&samples),
                Some(Event::Message(ServerMessage::Transcript(piece))) => {
                    said.merge(&piece);
                }
                Some(Event::Message(_) | Event::Unreadable { .. } | Event::Closed(_)) => {}
                None => return,
            }
        }
    }
}

async fn hold_bridged(url: &str) {
    let (bridge, mut events) = Bridge::join(url).rates(RATE, RATE).connect().await.unwrap();
    let phone = Port::live(RATE);
    send_media_between(&phone, &bridge).unwrap();
    let (mut clock, mut heard, mut said) = (clock(), [0; SAMPLES], Transcripts::default());
    loop {
        tokio::select! {
            _ = clock.tick() => {
                phone.give(&[1_000; SAMPLES]);
                phone.take(&mut heard);
            }
            event = events.next() => match event {
                Some(BridgeEvent::Transcript(piece)) => {
                    said.merge(&piece.value);
                }
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// CPU time of this process and its threads, in user and system mode.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program may hold blanks; what follows it does not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    // USER_HZ is 100 wherever Linux runs.
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
