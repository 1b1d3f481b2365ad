//! Whom a call itself wants told of what happens to it (protocol.md 7.5.5): checked before the call exists.

use antiphon_api::rest::calls::Callbacks;

use super::SetupError;
use crate::outbound::Outbound;

/// Every secret is a signature in a header.
const MOST_SECRETS: usize = 10;

/// Whether this server would make the callbacks, as far as their text says.
pub(super) fn check(callbacks: &Callbacks, outbound: &Outbound) -> Result<(), SetupError> {
    let Callbacks { joined, ended, billed } = callbacks;
    for (name, callback) in [("joined", joined), ("ended", ended), ("billed", billed)] {
        let Some(callback) = callback else { continue };
        outbound
            .check_receiver(&callback.url)
            .map_err(|why| SetupError::new(format!("callbacks.{name}.url"), why))?;
        if callback.secrets.len() > MOST_SECRETS {
            let why = format!("are too many; use at most {MOST_SECRETS}");
            return Err(SetupError::new(format!("callbacks.{name}.secrets"), why));
        }
    }
    Ok(())
}
