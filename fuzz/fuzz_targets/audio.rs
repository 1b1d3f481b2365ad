//! See `antiphon_server::app::fuzzing::audio`.
#![no_main]

use antiphon_server::app::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fuzzing::audio(data));
