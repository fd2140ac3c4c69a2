//! `cargo run -p capture --example inspect FILE`: the report as text.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        print!("{}", capture::inspect(std::fs::File::open(path)?)?);
    }
    Ok(())
}
