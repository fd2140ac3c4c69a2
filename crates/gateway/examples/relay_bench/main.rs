//! The relay beside its peers, on one machine in the same rounds: CPU per gigabyte, throughput, keyboard
//! round trips, memory of idle sessions, and CPU per session opened and closed; in clear and over TLS.
//!
//! ```text
//! cargo build --release -p app
//! cargo run --release -p gateway --example relay_bench -- [streams] [trips] [logins] [sessions] [memory] [--mb 400]
//!     [--rounds 7] [--trips 3000] [--sessions 5000] [--only gateway] [--clear | --tls] [--congestion reno]
//! ```
//!
//! A fake target sends valid RFB in a loop, a fake viewer takes it and decodes nothing; both live in this
//! program. Between them, in turn: nothing, nginx `stream` as it comes, nginx with 64 KiB buffers,
//! websockify, and `gatehouse serve` as it is: ticket by API, WebSocket, observation and policy on, SQLite
//! on disk. Programs that are not installed are left out. CPU is that of the proxy's processes alone.
//!
//! Where BBR is the kernel's congestion control, it paces every segment with a timer, even on loopback, and
//! that timer is what is measured. `--congestion reno` runs everything in a network namespace of its own
//! without it; Debian's own default, cubic, does not pace either.

#![expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]

mod house;
mod http;
mod logins;
mod peer;
mod process;
mod sessions;
mod streams;
mod target;
mod trips;
mod viewer;

use anyhow::{Context, Result, ensure};
use peer::Peer;
use std::process::Command;

/// What is measured, and how long.
struct Plan {
    bytes: usize,
    rounds: usize,
    trips: usize,
    sessions: usize,
}

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(name) = option(&mut arguments, "--congestion")? {
        return in_a_namespace(&name, &arguments);
    }
    let mut number = |name, default: usize| match option(&mut arguments, name)? {
        Some(text) => text.parse().with_context(|| format!("{name} {text}")),
        None => Ok(default),
    };
    let plan = Plan {
        bytes: number("--mb", 400)? * 1_000_000,
        rounds: number("--rounds", 7)?,
        trips: number("--trips", 3000)?,
        sessions: number("--sessions", 5000)?,
    };
    let only = option(&mut arguments, "--only")?;
    let mut flag = |name| arguments.iter().position(|a| a == name).map(|at| arguments.remove(at)).is_some();
    let (clear, tls) = (flag("--clear"), flag("--tls"));
    let known = ["streams", "trips", "logins", "sessions", "memory"];
    if let Some(unknown) = arguments.iter().find(|a| !known.contains(&a.as_str())) {
        anyhow::bail!("what is {unknown}? One of {known:?}");
    }
    let wants = |part: &str| arguments.is_empty() || arguments.iter().any(|a| a == part);
    let desks = match wants("sessions") || wants("memory") {
        true => plan.sessions,
        false => logins::STREAMS + 1,
    };
    process::raise_open_files();
    println!("Congestion control: {}", congestion());
    for over_tls in [false, true].into_iter().filter(|t| if *t { !clear } else { !tls }) {
        println!("\n# {}", if over_tls { "Over TLS 1.3" } else { "In clear" });
        let target = target::start()?;
        let directory = tempfile::tempdir_in(beside_us()?)?;
        let mut peers = Peer::start_all(target, desks, directory.path(), over_tls)?;
        peers.retain(|peer| only.as_ref().is_none_or(|name| name == peer.name));
        if wants("streams") {
            streams::measure(&peers, &plan)?;
        }
        if wants("trips") {
            trips::measure(&peers, &plan)?;
        }
        if wants("logins") {
            logins::measure(&peers, &plan)?;
        }
        if wants("sessions") {
            sessions::measure_cpu(&peers, &plan)?;
        }
        if wants("memory") {
            sessions::measure_memory(&peers, &plan)?;
        }
    }
    Ok(())
}

/// Takes an option and its value out of the arguments.
fn option(arguments: &mut Vec<String>, name: &str) -> Result<Option<String>> {
    let Some(at) = arguments.iter().position(|a| a == name) else { return Ok(None) };
    ensure!(at + 1 < arguments.len(), "{name} wants a value");
    arguments.remove(at);
    Ok(Some(arguments.remove(at)))
}

/// Where this program was built: on a disk, where a database's flush costs what it costs.
fn beside_us() -> Result<std::path::PathBuf> {
    Ok(std::env::current_exe()?.parent().context("no directory")?.to_owned())
}

fn congestion() -> String {
    let name = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Runs this program again, in a network namespace with this congestion control.
fn in_a_namespace(congestion: &str, arguments: &[String]) -> Result<()> {
    let script = "ip link set lo up && echo \"$1\" > /proc/sys/net/ipv4/tcp_congestion_control && shift && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.arg("--net");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let status = command
        .args(["sh", "-c", script])
        .arg(std::env::current_exe()?)
        .arg(congestion)
        .args(arguments)
        .status()
        .context("unshare does not start; it is in package util-linux")?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn median(values: Vec<f64>) -> f64 {
    hundredth(values, 50)
}

fn hundredth(mut values: Vec<f64>, at: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * at / 100).copied().unwrap_or(f64::NAN)
}

/// The median over the rounds of what two peers make of the same round.
fn paired(ours: &[f64], theirs: &[f64], compare: impl Fn(f64, f64) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(a, b)| compare(*a, *b)).collect())
}
