//! `cargo fuzz run row --fuzz-dir tests/fuzz --sanitizer none`, with `RUSTC_BOOTSTRAP=1` where the compiler is no nightly.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatelog_fuzz::row::run(data);
});
