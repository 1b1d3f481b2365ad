//! Object storage: what calls leave is handed over, read from there and deleted there, whatever the storage does meanwhile. In virtual
//! time against a storage in memory that fails as it is told, and over loopback against one that speaks S3.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod bucket;
mod deletion;
mod hand_over;
mod retention;
mod s3;
mod stand;
mod weather;
