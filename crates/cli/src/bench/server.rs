//! The server that is measured: a process of this binary with backends that take no time, on cores of its own; and the meters of
//! any process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use antiphon_server::api_key::ApiKey;
use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::caller::ASKS_FOR_THE_TOOL;

/// How long a server may take to come up.
const COMING_UP: Duration = Duration::from_secs(30);
/// How long it may take to go.
const GOING: Duration = Duration::from_secs(20);
/// How the C library's allocator is told to ask for large pages, as the files in `deploy/` do. Elsewhere nobody reads it.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
/// The tool that callers have.
pub(super) const TOOL: &str = "lookUp";
/// Said in 3.7 s by a voice that hums 60 ms a character.
const ANSWER: &str = "The bakery opens at seven, and the bread is warm until nine.";

/// A process that serves, and is stopped with this.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it says is read until its end, so that it is never held up.
    said: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(super) url: String,
}

/// A server of our own and the key to it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) key: String,
    directory: PathBuf,
}

/// The cores of this machine, those of the server apart from those of the callers.
#[derive(Debug, Clone)]
pub(super) struct Cores {
    server: CpuSet,
    pub(super) of_server: usize,
    pub(super) of_callers: usize,
    /// Whether there are too few to keep them apart.
    pub(super) shared: bool,
}

impl Cores {
    /// Gives the server so many cores and this process the others. On a machine with no more than that, all share all.
    pub(super) fn divide(wanted: usize) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("cannot find out which cores there are")?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        if wanted == 0 || wanted >= cores.len() {
            let count = cores.len();
            return Ok(Self { server: all, of_server: count, of_callers: count, shared: true });
        }
        let (server, callers) = cores.split_at(wanted);
        let set = |cores: &[usize]| {
            let mut set = CpuSet::new();
            cores.iter().for_each(|core| set.set(*core));
            set
        };
        sched_setaffinity(None, &set(callers)).context("cannot choose the cores of the callers")?;
        Ok(Self { server: set(server), of_server: server.len(), of_callers: callers.len(), shared: false })
    }

    /// Starts a process on the server's cores: it inherits those of the thread that starts it.
    pub(super) fn spawn(&self, command: &mut Command) -> anyhow::Result<Child> {
        let ours = sched_getaffinity(None)?;
        sched_setaffinity(None, &self.server).context("cannot choose the cores of the server")?;
        let child = command.spawn();
        sched_setaffinity(None, &ours)?;
        child.context("cannot start the server")
    }
}

impl Process {
    /// Starts this binary with `arguments`, and waits until it says where it listens.
    pub(super) async fn start(cores: &Cores, arguments: &[&str]) -> anyhow::Result<Self> {
        let binary = std::env::current_exe().context("cannot find this program's file")?;
        let mut command = Command::new(binary);
        command.args(arguments).stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let (tunables, large_pages) = TUNABLES;
        if std::env::var_os(tunables).is_none() {
            command.env(tunables, large_pages);
        }
        for (name, _) in std::env::vars_os() {
            // It is measured as its own configuration says, whatever the user's server is like.
            if name.to_string_lossy().starts_with("ANTIPHON_") {
                command.env_remove(name);
            }
        }
        let mut child = cores.spawn(&mut command)?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut said = BufReader::new(stdout).lines();
        let listens = async {
            while let Some(line) = said.next_line().await? {
                if let Some((_, url)) = line.split_once("listens at ") {
                    return Ok(url.trim().to_owned());
                }
            }
            anyhow::bail!("the server ended before it listened; what it said is above")
        };
        let url = tokio::time::timeout(COMING_UP, listens)
            .await
            .with_context(|| format!("the server does not listen after {} s", COMING_UP.as_secs()))??;
        Ok(Self { child, said, url })
    }

    pub(super) fn meter(&self) -> Option<Meter> {
        self.child.id().map(Meter)
    }

    /// Asks it to end, and waits for that.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let rest = async {
            while let Ok(Some(_)) = self.said.next_line().await {}
            let _ = self.child.wait().await;
        };
        if tokio::time::timeout(GOING, rest).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

impl Server {
    /// Starts a server with instant backends in a directory of its own.
    pub(super) async fn start(cores: &Cores) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("antiphon-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let key = ApiKey::generate()?.expose().to_owned();
        let config = directory.join("antiphon.toml");
        std::fs::write(directory.join("script.yaml"), script())?;
        std::fs::write(&config, configuration(&directory, &key))?;
        let arguments = ["serve", "--config", &config.display().to_string()];
        let process = Process::start(cores, &arguments).await;
        match process {
            Ok(process) => Ok(Self { process, key, directory }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(directory);
                Err(error)
            }
        }
    }

    pub(super) async fn stop(self) {
        self.process.stop().await;
        let _ = std::fs::remove_dir_all(self.directory);
    }
}

/// What the server is like: everything as usual but for its backends, which take no time.
fn configuration(directory: &Path, key: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndrain_deadline = \"1s\"\n\
         [[auth.api_keys]]\nname = \"bench\"\nkey = \"{key}\"\n\
         [storage]\npath = \"{database}\"\n\
         [calls]\ndefault_model = \"script\"\ndefault_voice = \"hum\"\nmaximum_live = 100000\n\
         [limits]\nrequests_per_second = 0\nrequests_per_second_per_key = 0\n\
         [models.script]\ntype = \"scripted\"\nscript = \"{script}\"\n\
         [voices.hum]\ntype = \"scripted\"\n\
         [transcription]\ntype = \"none\"\n\
         [log]\nlevel = \"error\"\n",
        database = directory.join("antiphon.db").display(),
        script = directory.join("script.yaml").display(),
    )
}

fn script() -> String {
    let asks = ASKS_FOR_THE_TOOL.trim_end_matches('.').to_lowercase();
    format!(
        "hears: true\npace: 0\nrules:\n  - when: {asks}\n    call: {{ tool: {TOOL}, arguments: {{}} }}\n  \
         - after_tool: {TOOL}\n    say: {ANSWER}\ndefault:\n  say: {ANSWER}\n"
    )
}

/// What a process has used, as Linux tells of every process (proc(5)).
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter(pub(super) u32);

impl Meter {
    /// Computing time of all its threads.
    pub(super) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.file("stat")?;
        // The name of the program, in brackets, may hold anything; the 14th and 15th fields are user and system time.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Resident memory in KiB.
    pub(super) fn memory_kib(self) -> anyhow::Result<u64> {
        let status = self.file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        kib.with_context(|| format!("/proc/{}/status does not tell the resident memory", self.0))
    }

    /// Open file descriptors, sockets among them.
    pub(super) fn descriptors(self) -> anyhow::Result<usize> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.0));
        Ok(open.with_context(|| format!("cannot see the descriptors of process {}", self.0))?.count())
    }

    fn file(self, name: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.0))
            .with_context(|| format!("cannot measure process {}; is it running on this machine?", self.0))
    }
}

#[cfg(test)]
mod tests {
    use antiphon_server::config::Config;

    use super::*;

    #[test]
    fn this_process_can_be_measured() {
        let meter = Meter(std::process::id());
        assert!(meter.memory_kib().unwrap() > 1_000);
        assert!(meter.cpu().is_ok());
        assert!(Meter(u32::MAX).cpu().unwrap_err().to_string().contains("is it running"));
    }

    #[test]
    fn the_configuration_is_one_that_a_server_takes() {
        let key = ApiKey::generate().unwrap();
        let directory = std::env::temp_dir().join(format!("antiphon-bench-test-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let text = configuration(&directory, key.expose());
        std::fs::write(directory.join("script.yaml"), script()).unwrap();
        let loaded = Config::parse(Path::new("antiphon.toml"), &text, []).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        loaded.config.build_backends().unwrap();
    }
}
