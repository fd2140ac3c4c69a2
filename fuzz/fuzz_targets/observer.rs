//! libFuzzer's way into [`fuzz::observer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::observer(data));
