//! Requests to every operation. `Requests::seeds` are good ones to begin with.
#![no_main]

use std::sync::LazyLock;

use antiphon_server::app::fuzzing::Requests;
use libfuzzer_sys::fuzz_target;

static REQUESTS: LazyLock<Requests> = LazyLock::new(Requests::default);

fuzz_target!(|data: &[u8]| REQUESTS.run(data));
