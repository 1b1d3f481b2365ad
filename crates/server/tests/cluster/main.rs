//! Several nodes with one store in virtual time: where calls go, what nodes tell each other, what becomes of a node that is lost, and
//! what is done once for all of them.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

#[path = "../driver/client.rs"]
#[expect(dead_code, reason = "these suites need a part of it")]
mod client;
#[path = "../driver/stand.rs"]
#[expect(dead_code, reason = "these suites need a part of it")]
mod stand;
#[path = "../webhooks/town.rs"]
mod town;

mod joins;
mod leases;
mod loss;
mod messages;
mod nodes;
mod outage;
