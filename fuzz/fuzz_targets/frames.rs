//! Bytes on a call's WebSocket.
#![no_main]

use std::cell::LazyCell;

use antiphon_server::app::fuzzing::Wire;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static WIRE: LazyCell<Wire> = LazyCell::new(Wire::default);
}

fuzz_target!(|data: &[u8]| WIRE.with(|wire| wire.run(data)));
