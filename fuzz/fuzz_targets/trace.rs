//! libFuzzer's way into [`fuzz::trace`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::trace(data));
