//! Names of a test's own. A name that stands there twice means something else the second time, and keeps meaning it.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use antiphon_server::outbound::Lookup;
use futures::future::{BoxFuture, ready};

#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    meanings: Vec<(String, Vec<IpAddr>)>,
    lookups: usize,
}

impl Names {
    pub(crate) fn new<'a>(meanings: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> Self {
        let meaning = |(name, addresses): (&str, Vec<&str>)| {
            (name.to_owned(), addresses.iter().map(|address| address.parse().unwrap()).collect())
        };
        let meanings = meanings.into_iter().map(meaning).collect();
        Self(Arc::new(Mutex::new(State { meanings, lookups: 0 })))
    }

    /// How often anything was looked up.
    pub(crate) fn lookups(&self) -> usize {
        self.0.lock().unwrap().lookups
    }
}

impl Lookup for Names {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut state = self.0.lock().unwrap();
        state.lookups += 1;
        let mut meanings = state.meanings.iter().enumerate().filter(|(_, (name, _))| name == host);
        let found = meanings.next().map(|(index, (_, addresses))| (index, addresses.clone()));
        let changes = meanings.next().is_some();
        if let (Some((index, _)), true) = (&found, changes) {
            state.meanings.remove(*index);
        }
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such name");
        Box::pin(ready(found.map(|(_, addresses)| addresses).ok_or_else(unknown)))
    }
}
