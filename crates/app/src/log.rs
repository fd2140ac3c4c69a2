//! Logs: to standard error, and to files that are turned over, each with its level.
//!
//! A JSON line has `timestamp`, `level`, `message`, `context`, `service` and `environment`, and `error` where there is
//! one. Values are fields; people's names and addresses not above debug; secrets and tokens never.

mod file;
mod line;

use crate::config::{Log, LogFormat};
use anyhow::{Context, Result};
use file::Turning;
use line::Lines;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Libraries' own progress is noise at the default level; a filter that names them still shows it.
const QUIET: &str = "sea_orm_migration=warn,sqlx=warn";

/// Logs as configured.
pub(crate) fn init(log: &Log) -> Result<()> {
    let mut layers: Vec<Boxed> = vec![standard_error(log)?];
    if let Some(directory) = &log.directory {
        make(directory)?;
        let everywhere = |level: &str| format!("{QUIET},{level}");
        let places = [
            ("application", everywhere(&log.application), log.application.as_str()),
            ("vnc-monitor", monitor(&log.vnc_monitor), log.vnc_monitor.as_str()),
            ("error", everywhere(&log.error), log.error.as_str()),
        ];
        for (name, filter, level) in places {
            if level != "off" {
                layers.push(file_layer(log, directory, name, &filter)?);
            }
        }
    }
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging is already set up: {error}"))
}

/// What sessions and their protocol tell, of whatever crate.
fn monitor(level: &str) -> String {
    ["gateway", "rfb", "capture", "gatehouse::ports"].map(|target| format!("{target}={level}")).join(",")
}

fn filter(text: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(text).with_context(|| format!("{text:?} in [log] is no level and no filter"))
}

fn standard_error(log: &Log) -> Result<Boxed> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", log.level))
        .with_context(|| format!("log.level {:?} is not a level or filter", log.level))?;
    Ok(match (log.format, is_journal()) {
        (LogFormat::Json, _) => Lines::new(std::io::stderr, &log.environment).with_filter(filter).boxed(),
        // The journal has a clock of its own, and no colors.
        (LogFormat::Text, true) => text().without_time().with_ansi(false).with_filter(filter).boxed(),
        (LogFormat::Text, false) => text().with_filter(filter).boxed(),
    })
}

fn text() -> tracing_subscriber::fmt::Layer<
    Registry,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    fn() -> std::io::Stderr,
> {
    tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
}

/// Whether systemd reads standard error into the journal.
fn is_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Some(stream) = std::env::var_os("JOURNAL_STREAM").and_then(|text| text.into_string().ok()) else {
        return false;
    };
    let ours = std::fs::metadata("/proc/self/fd/2").map(|file| format!("{}:{}", file.dev(), file.ino()));
    ours.is_ok_and(|ours| ours == stream)
}

fn file_layer(log: &Log, directory: &Path, name: &str, wanted: &str) -> Result<Boxed> {
    let path = directory.join(format!("{name}.log"));
    let limit = log.max_megabytes.saturating_mul(1 << 20);
    let turning = Turning::open(&path, limit, log.keep)
        .with_context(|| format!("cannot write the log file {}", path.display()))?;
    Ok(Lines::new(move || turning.clone(), &log.environment).with_filter(filter(wanted)?).boxed())
}

/// Only its owner reads what is in there.
fn make(directory: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make the log directory {}", directory.display()))
}
