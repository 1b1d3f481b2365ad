//! The resources of the REST API, one file each, and their endpoints.

pub mod calls;
pub mod tools;
