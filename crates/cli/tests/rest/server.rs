//! A server of a test's own, and the program that is run against it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const CONFIG: &str = "[voices.hum]\ntype = \"scripted\"\nms_per_character = 2\nclones = true\n";

/// A server of a test's own, and the directory that it runs in.
pub(crate) struct Server {
    process: Child,
    pub(crate) directory: PathBuf,
    url: String,
    key: String,
}

impl Server {
    pub(crate) fn start(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rest_{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("antiphon.toml"), CONFIG).unwrap();
        let mut process = antiphon(&directory)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ANTIPHON_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()))
            .map(Result::unwrap);
        let url = lines.next().unwrap().strip_prefix("Antiphon listens at ").unwrap().to_owned();
        let export = |line: String| Some(line.trim().strip_prefix("export ANTIPHON_API_KEY=")?.to_owned());
        let key = lines.find_map(export).unwrap();
        lines.find(|line| line.starts_with("Clients of")).unwrap();
        Self { process, directory, url, key }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = antiphon(&self.directory);
        command.args(args).env("ANTIPHON_URL", &self.url).env("ANTIPHON_API_KEY", &self.key);
        command
    }

    /// Runs a command that succeeds, and returns what it prints.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON, an object a line.
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        let text = self.run(&[args, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that fails with this code, and returns what it says of that.
    pub(crate) fn fail(&self, code: i32, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        said(&output)
    }

    pub(crate) fn one(&self, args: &[&str]) -> Value {
        let mut all = self.json(args);
        assert_eq!(all.len(), 1, "{args:?}");
        all.remove(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program without anything in the environment that could decide for it.
fn antiphon(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(directory);
    command.stdin(Stdio::null());
    command
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn id<'v>(resource: &'v Value, key: &str) -> &'v str {
    resource[key].as_str().unwrap()
}
