//! Which server, with which key: the options that every command over the network has.

use std::path::PathBuf;

use antiphon_client::Authorities;
use antiphon_client::rest::{Client, ClientBuilder};
use clap::builder::NonEmptyStringValueParser;

use crate::exit::{Misuse, misuse};

/// A server and a key for it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Access {
    /// The server, instead of the one in ANTIPHON_URL; without either, http://127.0.0.1:8080.
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    url: Option<String>,
    /// A file with the API key, instead of ANTIPHON_API_KEY or ULTRAVOX_API_KEY.
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
    /// A PEM file with certificates that the server may have, or have its own from, beside those that this machine trusts.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
}

impl Access {
    /// A client of that server. Connects to nothing yet.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(self.builder()?.build().map_err(|error| Misuse(error.to_string()))?)
    }

    /// Whose certificates the server may have beside those that this machine trusts.
    pub(crate) fn authorities(&self) -> anyhow::Result<Option<Authorities>> {
        let Some(path) = &self.ca else { return Ok(None) };
        let pem = std::fs::read(path).map_err(|error| {
            misuse(format!("cannot read the certificates in {}: {error}", path.display()))
        })?;
        let authorities = Authorities::from_pem(&pem);
        Ok(Some(authorities.map_err(|error| misuse(format!("{}: {error}", path.display())))?))
    }

    /// What such a client is made from.
    pub(crate) fn builder(&self) -> anyhow::Result<ClientBuilder> {
        let mut builder = Client::builder();
        if let Some(url) = &self.url {
            builder = builder.url(url);
        }
        if let Some(path) = &self.key_file {
            let key = std::fs::read_to_string(path)
                .map_err(|error| misuse(format!("cannot read the key file {}: {error}", path.display())))?;
            builder = builder.key(key.trim());
        }
        if let Some(authorities) = self.authorities()? {
            builder = builder.authorities(authorities);
        }
        Ok(builder.environment(|name| std::env::var(name).ok()))
    }
}
