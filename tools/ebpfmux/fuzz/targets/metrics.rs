//! See `ebpfmux::fuzz::metrics`; and what a scraper reads is the same in both formats.
#![no_main]

use std::cell::RefCell;

#[path = "../scraper.rs"]
mod scraper;

thread_local!(static SCRAPER: RefCell<scraper::Scraper> = RefCell::new(scraper::Scraper::new()));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let exposition = ebpfmux::fuzz::metrics(bytes);
    SCRAPER.with_borrow_mut(|scraper| scraper.check(&exposition));
});
