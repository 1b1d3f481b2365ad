//! What all commands over the REST API do: connect, send what the command line says, show what comes back.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;

use antiphon_api::Page;
use antiphon_api::endpoint::{Endpoint, NoBody, NoQuery};
use antiphon_api::json::FromJson;
use antiphon_client::rest::Client;
use futures::TryStreamExt as _;
use serde::Serialize;

use super::access::Access;
use super::body::Body;
use super::columns::Column;
use super::file::Output;
use super::printer::Printer;
use super::query::Query;

/// Items on a page when a list is read as a whole: as many as every list allows.
const PAGE: usize = 100;

/// What every command has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    access: Access,
    /// Print JSON, one object a line, for programs.
    #[arg(long, global = true)]
    json: bool,
}

/// How much of a list is shown.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Extent {
    /// How many to show.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Show all.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Whether to ask before something is lost.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Consent {
    /// Do not ask on a terminal.
    #[arg(long, short)]
    yes: bool,
}

/// A server, and where its answers go.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) printer: Printer,
}

impl Session {
    pub(super) fn new(common: &Common) -> anyhow::Result<Self> {
        Ok(Self { client: common.access.client()?, printer: Printer::new(common.json) })
    }

    /// Shows a list, or says that there are no `items`.
    pub(super) async fn list<E, T>(
        &self,
        endpoint: E,
        path: &E::Path,
        query: Query,
        extent: &Extent,
        columns: &'static [Column],
        items: &str,
    ) -> anyhow::Result<()>
    where
        E: Endpoint<Body = NoBody, Response = Page<T>>,
        T: FromJson + Serialize + Send,
    {
        let most = if extent.all { usize::MAX } else { extent.limit };
        let query = query.with("pageSize", [most.clamp(1, PAGE)]).read()?;
        let mut pages = pin!(self.client.pages(endpoint, path, &query));
        let mut listing = self.printer.list(columns);
        let (mut shown, mut total, mut more) = (0, None, false);
        while shown < most {
            let Some(page) = pages.try_next().await? else { break };
            let taken = page.results.len().min(most - shown);
            listing.items(&page.results[..taken])?;
            shown += taken;
            total = page.total.or(total);
            more = taken < page.results.len() || page.next.is_some();
        }
        match total {
            _ if shown == 0 && most > 0 => self.printer.note(&format!("there are no {items}"))?,
            Some(total) if more => {
                self.printer
                    .note(&format!("{shown} of {total} {items}; --limit N shows more, --all all of them"))?;
            }
            None if more => self.printer.note(&format!("there are more {items}; --all shows all of them"))?,
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Shows a list that comes as a whole.
    pub(super) async fn whole_list<E, T>(
        &self,
        endpoint: E,
        path: &E::Path,
        columns: &'static [Column],
        items: &str,
    ) -> anyhow::Result<()>
    where
        E: Endpoint<Body = NoBody, Query = NoQuery, Response = Vec<T>>,
        T: FromJson + Serialize,
    {
        let list = self.client.send(endpoint, path, &NoQuery, &NoBody).await?;
        self.printer.list(columns).items(&list)?;
        if list.is_empty() {
            self.printer.note(&format!("there are no {items}"))?;
        }
        Ok(())
    }

    /// Shows one resource.
    pub(super) async fn read<E>(&self, endpoint: E, path: &E::Path) -> anyhow::Result<()>
    where
        E: Endpoint<Body = NoBody, Query = NoQuery, Response: Serialize>,
    {
        let resource = self.client.send(endpoint, path, &NoQuery, &NoBody).await?;
        Ok(self.printer.resource(&resource)?)
    }

    /// Sends the body of the command line, and shows what comes of it.
    pub(super) async fn write<E>(&self, endpoint: E, path: &E::Path, body: &Body) -> anyhow::Result<()>
    where
        E: Endpoint<Query = NoQuery, Response: Serialize>,
    {
        self.send(endpoint, path, &body.read()?).await
    }

    /// The same for a change, which has to say something.
    pub(super) async fn change<E>(&self, endpoint: E, path: &E::Path, body: &Body) -> anyhow::Result<()>
    where
        E: Endpoint<Query = NoQuery, Response: Serialize>,
    {
        body.insist()?;
        self.write(endpoint, path, body).await
    }

    /// Sends a body, and shows what comes of it.
    pub(super) async fn send<E>(&self, endpoint: E, path: &E::Path, body: &E::Body) -> anyhow::Result<()>
    where
        E: Endpoint<Query = NoQuery, Response: Serialize>,
    {
        let resource = self.client.send(endpoint, path, &NoQuery, body).await?;
        Ok(self.printer.resource(&resource)?)
    }

    /// Saves a file, which is called `usual` if the command line does not say.
    pub(super) async fn save<E>(
        &self,
        endpoint: E,
        path: &E::Path,
        usual: String,
        output: &Output,
    ) -> anyhow::Result<()>
    where
        E: Endpoint<Query = NoQuery, Body = NoBody>,
    {
        let written = output.write(usual, async |mut to| {
            self.client.download(endpoint, path, &NoQuery, &mut to).await?;
            Ok(())
        });
        match written.await? {
            Some(path) => Ok(self.printer.note(&format!("wrote {}", path.display()))?),
            None => Ok(()),
        }
    }

    /// Removes what has these ids, one after the other, and asks before on a terminal.
    pub(super) async fn remove<E>(
        &self,
        endpoint: E,
        ids: &[E::Path],
        what: &str,
        consent: Consent,
    ) -> anyhow::Result<()>
    where
        E: Endpoint<Path: Display + Clone, Query = NoQuery, Body = NoBody, Response = NoBody> + Copy,
    {
        self.remove_within(endpoint, ids, E::Path::clone, what, consent).await
    }

    /// The same for what lies within something else, and has a longer path.
    pub(super) async fn remove_within<E, Id: Display>(
        &self,
        endpoint: E,
        ids: &[Id],
        path: impl Fn(&Id) -> E::Path,
        what: &str,
        consent: Consent,
    ) -> anyhow::Result<()>
    where
        E: Endpoint<Query = NoQuery, Body = NoBody, Response = NoBody> + Copy,
    {
        let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
        if !consent.given(&format!("Delete {what} {}?", list.join(", ")))? {
            return Ok(self.printer.note("nothing was deleted")?);
        }
        for id in ids {
            self.client.send(endpoint, &path(id), &NoQuery, &NoBody).await?;
            self.printer.note(&format!("deleted {what} {id}"))?;
        }
        Ok(())
    }
}

impl Consent {
    /// Asks, if there is somebody to ask: a person at a terminal.
    pub(super) fn given(self, question: &str) -> anyhow::Result<bool> {
        if self.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(true);
        }
        write!(anstream::stderr(), "{} [y/N] ", crate::screen::harmless(question))?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
