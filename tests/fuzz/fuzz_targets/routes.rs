//! `cargo +nightly fuzz run routes`, from `tests/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatelog_fuzz::routes::run(data);
});
