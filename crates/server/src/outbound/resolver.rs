//! Names to addresses, and only to those that may be dialled.
//!
//! What [`Checked`] gives is connected to as it is, so a name that means something else a moment later gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::OutboundError;
use super::policy::Policy;

/// Something that knows where hosts are.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a host.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// The addresses of a host that may be dialled; at least one.
pub(super) async fn permitted(
    policy: &Policy,
    lookup: &dyn Lookup,
    host: &str,
) -> Result<Vec<IpAddr>, OutboundError> {
    policy.check_name(host)?;
    let unknown = |why: String| OutboundError::Unknown { host: host.to_owned(), why };
    let found = lookup.lookup(host).await.map_err(|error| unknown(error.to_string()))?;
    let mut refused = None;
    let mut permitted = Vec::with_capacity(found.len());
    for address in found {
        match policy.check_address(host, address) {
            Ok(()) => permitted.push(address),
            Err(why) => refused = Some(why),
        }
    }
    match (permitted.is_empty(), refused) {
        (false, _) => Ok(permitted),
        (true, Some(refused)) => Err(refused.into()),
        (true, None) => Err(unknown("it has no address".to_owned())),
    }
}

/// The resolver of the HTTP client.
pub(super) struct Checked {
    policy: Arc<Policy>,
    lookup: Arc<dyn Lookup>,
}

impl Checked {
    pub(super) fn new(policy: Arc<Policy>, lookup: Arc<dyn Lookup>) -> Self {
        Self { policy, lookup }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (Arc::clone(&self.policy), Arc::clone(&self.lookup));
        Box::pin(async move {
            let addresses = permitted(&policy, lookup.as_ref(), name.as_str()).await?;
            // The client puts the URL's port in the place of 0.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
