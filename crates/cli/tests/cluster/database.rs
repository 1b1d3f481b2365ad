//! A throwaway Postgres that stops and comes back at the same address.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/postgres/serve");

pub(crate) struct Database {
    pub(crate) url: String,
    directory: PathBuf,
    port: u16,
    /// The script, which ends the server once it is let go of.
    script: Option<Child>,
}

impl Database {
    pub(crate) fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-cluster-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        // Free now, and ours in a moment.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut database = Self { url: String::new(), directory, port, script: None };
        database.start_again();
        database
    }

    pub(crate) fn start_again(&mut self) {
        let mut script = Command::new(SCRIPT)
            .arg(&self.directory)
            .arg(self.port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(!url.is_empty(), "there is no Postgres to test with; see above");
        self.url = url.trim().to_owned();
        self.script = Some(script);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            script.wait().unwrap();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
