//! Keys that are looked for: made up, each another one, by the name of the place that it is put in.

use std::collections::BTreeMap;

/// Where webhooks are shown to whoever made them: with their secrets, as the API has it.
const SHOWN: &str = "/api/webhooks";

#[derive(Default)]
pub(crate) struct Canaries {
    all: BTreeMap<String, String>,
    /// Those that nobody is sent: they sign, or belong to what this test does not use.
    unused: Vec<String>,
    shown: Vec<String>,
    pub(crate) variables: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl Canaries {
    /// A key for this place; the same again for the same place.
    pub(crate) fn add(&mut self, name: &str) -> String {
        let next = self.all.len();
        let key =
            self.all.entry(name.to_owned()).or_insert_with(|| format!("canary-{next:03}-0123456789abcdef"));
        if name.starts_with("ANTIPHON_") && !self.variables.iter().any(|known| known == name) {
            self.variables.push(name.to_owned());
        }
        key.clone()
    }

    /// One in a variable of the environment.
    pub(crate) fn variable(&mut self, name: &str) {
        self.add(name);
        self.variables.push(name.to_owned());
    }

    /// One in a file.
    pub(crate) fn file(&mut self, name: &str) {
        self.add(name);
        self.files.push(name.to_owned());
    }

    /// One that is sent to nobody.
    pub(crate) fn unused(&mut self, name: &str) -> String {
        self.unused.push(name.to_owned());
        self.add(name)
    }

    /// One that signs, and that the API shows to whoever has it.
    pub(crate) fn shown_to_its_owner(&mut self, name: &str) -> String {
        self.shown.push(name.to_owned());
        self.unused(name)
    }

    pub(crate) fn of(&self, name: &str) -> &str {
        &self.all[name]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(name, key)| (name.as_str(), key.as_str()))
    }

    /// Those that somebody must have been sent.
    pub(crate) fn used(&self) -> impl Iterator<Item = (&str, &str)> {
        // An agent's own tokens are used by its own calls only.
        self.all().filter(|(name, _)| {
            !self.unused.iter().any(|unused| unused == name) && !name.starts_with("agent: ")
        })
    }

    pub(crate) fn may_be_shown(&self, name: &str, place: &str) -> bool {
        place.contains(SHOWN) && self.shown.iter().any(|shown| shown == name)
    }
}
