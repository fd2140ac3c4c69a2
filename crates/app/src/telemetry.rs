//! Logs. Values are fields; people's names and addresses not above debug; secrets and tokens never.

use crate::config::{Log, LogFormat};
use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Logs to standard error, as configured.
pub(crate) fn init(log: &Log) -> Result<()> {
    // Libraries' own progress is noise at the default level; a filter that names them still shows it.
    let filter = EnvFilter::try_new(format!("sea_orm_migration=warn,sqlx=warn,{}", log.level))
        .with_context(|| format!("log.level {:?} is not a level or filter", log.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|e| anyhow::anyhow!("logging is already set up: {e}"))
}
