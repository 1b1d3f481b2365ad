//! Another configuration for a server that runs: what can be taken up is, as a whole or not at all, and what waits for a restart is
//! named. Calls that are there go on with what they were made of.

use antiphon_backends::registry::Backends;
use tokio::task::spawn_blocking;

use super::{Running, StartError, configured_keys, hashes, identity, now, own_limits, summarizer};
use crate::config::{Config, Difference};
use crate::http::ConfiguredKey;
use crate::probes::{self, Book};

impl Running {
    /// Takes up another configuration. Files that it names, such as those of keys, are read again.
    ///
    /// # Errors
    /// It cannot be taken up, and everything is as before but for accounts that it names, which may be there now.
    pub async fn reload(&mut self, new: Config) -> Result<Difference, StartError> {
        let mut difference = self.config.difference(&new);
        let backends = self.backends_for(&new).await?;
        let identity = new.server.tls.as_ref().filter(|_| self.tls.is_some()).map(identity).transpose()?;
        let hashes = hashes(&new.auth)?;
        let own_limits = own_limits(&self.http.storage, &new.auth, new.limits, now()).await?;
        let keys = configured_keys(&self.http.storage, new.auth.clone(), hashes).await?;

        // From here on nothing fails, and nothing is waited for.
        if !same(&self.http.configured_keys.get(), &keys) {
            // Perhaps in a file whose name is the same.
            note(&mut difference.taken_up, "auth.api_keys");
        }
        if let Some((tls, identity)) = self.tls.as_ref().zip(identity)
            && tls.replace(identity)
        {
            note(&mut difference.taken_up, "server.tls");
        }
        self.config = self.config.clone().taking_up(new);
        let config = &self.config;
        let subjects = backends.subjects.clone();
        let backends = std::sync::Arc::new(backends);
        self.http.calls.renew(config.calls.clone(), config.turn_taking.clone(), backends.clone());
        self.http.configured_keys.replace(keys);
        self.limits.replace(config.limits, own_limits);
        let summarizer = summarizer(config, backends, &self.http.storage);
        self.endings.renew(summarizer, config.summaries.clone());
        self.forgetting.abort();
        self.forgetting = tokio::spawn(self.dispatcher.clone().keep_log(config.webhooks.keep_log));
        self.probing.abort();
        self.probing = tokio::spawn(probes::find_out(Book::beside(&config.storage.path), subjects));
        Ok(difference)
    }

    /// Makes the backends of another configuration. Models are read from files, which must not keep audio waiting.
    async fn backends_for(&self, new: &Config) -> Result<Backends, StartError> {
        let (old, before, new) = (self.http.calls.backends(), self.config.clone(), new.clone());
        let making = spawn_blocking(move || new.rebuild_backends(&old, &before));
        match making.await {
            Ok(backends) => Ok(backends?),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

fn same(before: &[ConfiguredKey], after: &[ConfiguredKey]) -> bool {
    let alike = |(before, after): (&ConfiguredKey, &ConfiguredKey)| {
        before.name == after.name && before.account == after.account && before.hash.matches(&after.hash)
    };
    before.len() == after.len() && before.iter().zip(after).all(alike)
}

fn note(fields: &mut Vec<String>, field: &str) {
    if !fields.iter().any(|known| known == field) {
        fields.push(field.to_owned());
        fields.sort();
    }
}
