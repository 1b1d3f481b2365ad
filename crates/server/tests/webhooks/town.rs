//! Receivers that do as they are told, and the time that passes for all of them.

#![allow(dead_code, reason = "each suite that uses it needs another part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_server::jobs::Clock;
use antiphon_server::jobs::webhooks::{Courier, Reply};
use antiphon_server::outbound::Request;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

/// What a receiver does with a post.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Answers with this status.
    Answers(u16),
    /// Cannot be connected to until then, and takes everything from then on.
    DownUntil(Duration),
    /// Never answers.
    Hangs,
    /// Takes it after a while.
    Slow(Duration),
}

/// A post as its receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// When it came, counted from the beginning of the test.
    pub(crate) at: Duration,
    /// The host that it went to.
    pub(crate) host: String,
    pub(crate) request: Request,
    /// Whether it was taken.
    pub(crate) taken: bool,
}

impl Post {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(self.request.body.as_ref().unwrap()).unwrap()
    }

    pub(crate) fn event(&self) -> String {
        self.body()["event"].as_str().unwrap().to_owned()
    }

    pub(crate) fn call(&self) -> CallId {
        self.body()["call"]["callId"].as_str().unwrap().parse().unwrap()
    }
}

/// All receivers, by host. A host that nobody spoke of takes everything.
pub(crate) struct Town {
    begin: Instant,
    manners: Mutex<HashMap<String, Manner>>,
    posts: Mutex<Vec<Post>>,
    /// Posts under way by host, and the most there have been.
    under_way: Mutex<HashMap<String, (usize, usize)>>,
}

impl Town {
    /// Nobody has been told anything. Its time begins now.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            manners: Mutex::default(),
            posts: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    pub(crate) fn has_manner(&self, host: &str, manner: Manner) {
        self.manners.lock().unwrap().insert(host.to_owned(), manner);
    }

    /// What a host was sent, taken or not.
    pub(crate) fn posts(&self, host: &str) -> Vec<Post> {
        self.posts.lock().unwrap().iter().filter(|post| post.host == host).cloned().collect()
    }

    /// How many posts to a host were under way at a time, at most.
    pub(crate) fn most_at_a_time(&self, host: &str) -> usize {
        self.under_way.lock().unwrap()[host].1
    }

    /// Waits until a moment of the test, counted from its beginning.
    pub(crate) async fn until(&self, moment: Duration) {
        sleep_until(self.begin + moment).await;
        // Whoever has something to do at that very moment comes first.
        sleep(Duration::from_micros(1)).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock()()
    }

    pub(crate) fn clock(&self) -> Clock {
        let begin = self.begin;
        Arc::new(move || at(i64::try_from(begin.elapsed().as_micros()).unwrap()))
    }

    async fn receive(&self, request: Request) -> Result<Reply, String> {
        let host = request.url.host_str().unwrap().to_owned();
        let manner = self.manners.lock().unwrap().get(&host).copied().unwrap_or(Manner::Answers(204));
        let place = {
            let mut posts = self.posts.lock().unwrap();
            posts.push(Post { at: self.begin.elapsed(), host: host.clone(), request, taken: false });
            posts.len() - 1
        };
        let _guest = Guest::of(self, host);
        let status = match manner {
            Manner::Answers(status) => status,
            Manner::DownUntil(until) if self.begin.elapsed() < until => {
                return Err("nobody is there".to_owned());
            }
            Manner::DownUntil(_) => 200,
            Manner::Hangs => std::future::pending().await,
            Manner::Slow(wait) => {
                sleep(wait).await;
                200
            }
        };
        self.posts.lock().unwrap()[place].taken = (200..300).contains(&status);
        Ok(Reply { status, said: String::new() })
    }
}

impl Courier for Town {
    fn post(&self, request: Request) -> BoxFuture<'_, Result<Reply, String>> {
        self.receive(request).boxed()
    }
}

/// A post that is being received.
struct Guest<'t> {
    town: &'t Town,
    host: String,
}

impl<'t> Guest<'t> {
    fn of(town: &'t Town, host: String) -> Self {
        let mut under_way = town.under_way.lock().unwrap();
        let (now, most) = under_way.entry(host.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        drop(under_way);
        Self { town, host }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.town.under_way.lock().unwrap().get_mut(&self.host).unwrap().0 -= 1;
    }
}

/// So many microseconds after the beginning of every test.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_795_855_500_000_000 + micros).unwrap()
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3_600)
}
