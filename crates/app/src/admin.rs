//! `gatehouse admin`: people, groups, API tokens and targets from the machine itself.
//!
//! Whoever may read the data directory may do all of this, so no log-in is asked for. Each change is written down in
//! the audit log, in its own transaction, as done from the command line. A running server sees it at its next look:
//! rights at once, open consoles within seconds.

mod group;
mod token;
mod user;

use crate::cli::{AdminCommand, Common};
use crate::house::House;
use crate::{target, ticket};
use anyhow::{Context, Result};
use model::audit::Action;
use store::{AuditEntry, UserRecord};

pub(crate) async fn run(common: &Common, command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::Link => ticket::admin_link(common).await,
        AdminCommand::Target(command) => target::run(common, command).await,
        AdminCommand::User(command) => user::run(&House::open(common).await?, command).await,
        AdminCommand::Group(command) => group::run(&House::open(common).await?, command).await,
        AdminCommand::Token(command) => token::run(&House::open(common).await?, command).await,
    }
}

/// An entry about something that was done here. It names no person: who could run this is known to the machine.
pub(crate) fn by_cli(action: Action) -> AuditEntry {
    AuditEntry::new(action).with("by", "cli")
}

/// The person of this name.
async fn person(house: &House, name: &str) -> Result<UserRecord> {
    let found = house.store.people().find_by_name(name).await?;
    found.with_context(|| format!("nobody is called {name:?}; `gatehouse admin user list` shows everybody"))
}

/// The widest of some texts, for columns.
fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
