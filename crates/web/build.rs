//! Looks whether the interface was built; never builds it.
//!
//! Cargo must work where no Node is installed, so a missing interface is only an error where it would ship: in a
//! release build. A debug build reads the files at run time and needs no look at all.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    println!("cargo::rerun-if-changed=ui/dist");
    if !Path::new("ui/dist/index.html").is_file() {
        println!(
            "cargo::error=the interface is not built and a release must not ship without it: run `cargo xtask run`, \
             or `npm ci && npm run build` in crates/web/ui"
        );
    }
}
