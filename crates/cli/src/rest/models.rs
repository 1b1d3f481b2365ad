//! `antiphon models`: the names that a call's model may have.

use antiphon_api::rest::models::ListModels;

use super::columns;
use super::query::Query;
use super::session::{Common, Extent, Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    extent: Extent,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    session.list(ListModels, &(), Query::new(), &args.extent, columns::MODELS, "models").await
}
