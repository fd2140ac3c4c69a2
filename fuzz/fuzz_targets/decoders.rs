//! libFuzzer's way into [`fuzz::decoders`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::decoders(data));
