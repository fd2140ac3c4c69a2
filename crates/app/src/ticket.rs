//! `gatehouse ticket` and `gatehouse admin link`: rights handed out from the machine itself.

use crate::address;
use crate::admin::by_cli;
use crate::cli::{Common, Ticket};
use crate::house::House;
use anyhow::{Context, Result};
use auth::token::Token;
use chrono::{TimeDelta, Utc};
use model::audit::{Action, Object};
use model::{Policy, Secret, TicketId};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use store::{AuditEntry, NewTicket, TokenHash};
use uuid::Uuid;

/// A one-time link is for the person who just asked for it.
const LINK_LIFE: TimeDelta = TimeDelta::minutes(30);

/// Makes a ticket and prints every way to use it.
pub(crate) async fn run(common: &Common, wish: Ticket) -> Result<()> {
    let house = House::open(common).await?;
    let target = house.target(&wish.name).await?;
    let policy = Policy { view_only: wish.view_only, ..Policy::default() };
    let Issued { token, vnc_password } =
        issue(&house, target.id, policy, TimeDelta::minutes(i64::from(wish.minutes))).await?;
    let web = address::external(&house.config);
    println!("browser   {web}{}", api::console_path(&token));
    if house.config.native.enabled {
        println!("native    {}  (any name, the ticket as password)", house.config.native.listen);
    }
    println!("ticket    {}", token.expose());
    if let Some(password) = vnc_password {
        println!("VncAuth   {}  (the password where a viewer asks for eight characters)", password.expose());
    }
    println!("good for one session, to be opened in {} minutes", wish.minutes);
    if let Some(file) = wish.vnc_file {
        write_vnc_file(&file, &house, &token)?;
        println!("file      {}", file.display());
    }
    Ok(())
}

/// A ticket's secrets, for its holder.
pub(crate) struct Issued {
    pub(crate) token: Token,
    /// Where VncAuth is switched on.
    pub(crate) vnc_password: Option<Secret>,
}

/// Makes a ticket.
pub(crate) async fn issue(
    house: &House,
    target: model::TargetId,
    policy: Policy,
    life: TimeDelta,
) -> Result<Issued> {
    let (id, token) = (TicketId(Uuid::now_v7()), Token::fresh());
    let native = &house.config.native;
    let vnc_password = (native.enabled && native.vnc_auth).then(auth::vnc_password::fresh);
    let seal = |password| api::seal_vnc_password(&house.sealer, id, password);
    let now = Utc::now();
    let ticket = NewTicket {
        id,
        token_hash: TokenHash(*token.hash().as_bytes()),
        target,
        policy,
        subject: "command line".to_owned(),
        owner: None,
        login: None,
        created_at: now,
        expires_at: now + life,
        sealed_vnc_password: vnc_password.as_ref().map(seal),
    };
    let entry = by_cli(Action::ConsoleGranted).on(Object::Target(target)).with("ticket", id.to_string());
    house.store.tickets().audited(entry).issue(ticket).await?;
    Ok(Issued { token, vnc_password })
}

/// Makes a one-time link for the administrator and prints it.
pub(crate) async fn admin_link(common: &Common) -> Result<()> {
    let house = House::open(common).await?;
    let entry = by_cli(Action::LinkIssued);
    println!("{}", new_admin_link(&house, &address::external(&house.config), entry).await?);
    eprintln!("It works once, within 30 minutes.");
    Ok(())
}

/// The link; its token stands in the fragment, which no browser sends and no server logs.
pub(crate) async fn new_admin_link(house: &House, web: &str, entry: AuditEntry) -> Result<String> {
    let token = Token::fresh();
    let now = Utc::now();
    house.store.logins().issue_link(TokenHash(*token.hash().as_bytes()), now + LINK_LIFE, entry, now).await?;
    Ok(format!("{web}/login#token={}", token.expose()))
}

/// A connection file as RealVNC and TigerVNC read it; only for the eyes of its owner.
fn write_vnc_file(path: &Path, house: &House, token: &Token) -> Result<()> {
    let native = house.config.native.listen;
    let text = format!(
        "[Connection]\nHost={}\nPort={}\nUsername=ticket\nPassword={}\n",
        native.ip(),
        native.port(),
        token.expose()
    );
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
