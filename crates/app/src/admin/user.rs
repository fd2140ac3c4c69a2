//! `gatehouse admin user`.

use super::{by_cli, minute, person, until, widest};
use crate::cli::UserCommand;
use crate::house::House;
use crate::password;
use anyhow::{Result, bail};
use auth::password::{Hasher, check_new};
use chrono::Utc;
use model::audit::{Action, Object, Personal};
use model::{Role, Secret, SubjectId, UserId};
use std::path::PathBuf;
use store::{
    AuditEntry, GrantRow, MAX_PAGE, NewUser, SessionFilter, SessionStatus, UserChange, UserFilter,
    UserRecord, Window,
};
use uuid::Uuid;

pub(crate) async fn run(house: &House, command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add { name, role, display_name, password_file } => {
            add(house, name, role, display_name, password_file).await
        }
        UserCommand::List => list(house).await,
        UserCommand::SetRole { name, role } => {
            let change = UserChange { role: Some(role), ..UserChange::default() };
            let entry = by_cli(Action::UserChanged).with("role", role.column());
            self::change(house, &name, change, entry).await?;
            println!("{name} is {} now.", role.column());
            Ok(())
        }
        UserCommand::Disable { name } => {
            set_disabled(house, &name, true).await?;
            println!("{name} is logged out and cannot log in.");
            Ok(())
        }
        UserCommand::Enable { name } => {
            set_disabled(house, &name, false).await?;
            println!("{name} can log in.");
            Ok(())
        }
        UserCommand::Password { name, password_file } => set_password(house, &name, password_file).await,
        UserCommand::Logout { name } => {
            let user = person(house, &name).await?;
            let entry = about(by_cli(Action::LoggedOutEverywhere), user.subject, &user.name);
            house.store.people().log_out(user.id, entry, Utc::now()).await?;
            println!("{name} is logged out everywhere.");
            Ok(())
        }
        UserCommand::Grant { name, target, view_only, expires } => {
            grant(house, &name, &target, view_only, expires.as_deref()).await
        }
        UserCommand::Revoke { name, target } => revoke(house, &name, &target).await,
        UserCommand::Grants { name } => grants(house, &name).await,
        UserCommand::Erase { name, yes } => erase(house, &name, yes).await,
    }
}

/// Says of whom an entry is; the name lies beside the log, where it can be erased.
fn about(entry: AuditEntry, subject: SubjectId, name: &str) -> AuditEntry {
    entry.on(Object::Person(subject)).person_of(Some(subject), Personal::Name, name)
}

async fn add(
    house: &House,
    name: String,
    role: Role,
    display_name: Option<String>,
    password_file: Option<PathBuf>,
) -> Result<()> {
    let display_name = display_name.unwrap_or_else(|| name.clone());
    let secret = new_password(password_file, &[&name, &display_name], house.config.auth.password_length)?;
    let password_hash = match secret {
        Some(secret) => Some(hash(house, &secret).await?),
        None => None,
    };
    let has_password = password_hash.is_some();
    let subject = SubjectId(Uuid::new_v4());
    let entry = about(by_cli(Action::UserAdded), subject, &name).with("role", role.column());
    let new = NewUser {
        id: UserId(Uuid::now_v7()),
        subject,
        name,
        display_name,
        password_hash,
        role,
        language: None,
    };
    let user = house.store.people().add(new, entry, Utc::now()).await?;
    println!("{}  {}", user.name, user.role.column());
    if !has_password {
        eprintln!(
            "{0} has no password and cannot log in yet: gatehouse admin user password {0:?}",
            user.name
        );
    }
    Ok(())
}

async fn list(house: &House) -> Result<()> {
    let people = house.store.people();
    let mut window = Window { limit: MAX_PAGE, offset: 0 };
    loop {
        let page = people.list(&UserFilter::default(), window).await?;
        let wide = widest(page.items.iter().map(|user| user.name.as_str()));
        for user in &page.items {
            let state = match (user.disabled, &user.password_hash) {
                (true, _) => "  (disabled)",
                (false, None) => "  (no password)",
                (false, Some(_)) => "",
            };
            let last = match user.last_login_at {
                Some(at) => minute(at),
                None => "never".to_owned(),
            };
            println!("{:wide$}  {:8}  last log-in {last}{state}", user.name, user.role.column());
        }
        window.offset = window.offset.saturating_add(u64::from(window.limit));
        if window.offset >= page.total {
            return Ok(());
        }
    }
}

async fn change(house: &House, name: &str, change: UserChange, entry: AuditEntry) -> Result<UserRecord> {
    let user = person(house, name).await?;
    let entry = about(entry, user.subject, &user.name);
    Ok(house.store.people().change(user.id, user.version, change, entry, Utc::now()).await?)
}

async fn set_disabled(house: &House, name: &str, disabled: bool) -> Result<UserRecord> {
    let action = if disabled { Action::UserDisabled } else { Action::UserEnabled };
    let wish = UserChange { disabled: Some(disabled), ..UserChange::default() };
    change(house, name, wish, by_cli(action)).await
}

async fn set_password(house: &House, name: &str, file: Option<PathBuf>) -> Result<()> {
    let user = person(house, name).await?;
    let least = house.config.auth.password_length;
    let Some(secret) = new_password(file, &[&user.name, &user.display_name], least)? else {
        bail!("no password was given; use --password-file, or type one on a terminal");
    };
    let hash = hash(house, &secret).await?;
    let entry = about(by_cli(Action::PasswordSet), user.subject, &user.name);
    house.store.people().set_password(user.id, Some(hash), None, entry, Utc::now()).await?;
    println!("{} has a new password and is logged out everywhere.", user.name);
    Ok(())
}

/// From a file or, twice, from the terminal; never from an argument.
fn new_password(file: Option<PathBuf>, names: &[&str], least: usize) -> Result<Option<Secret>> {
    let secret = match file {
        Some(file) => Some(password::from_file(&file)?),
        None => typed_twice()?,
    };
    if let Some(secret) = &secret {
        check_new(secret, names, least)?;
    }
    Ok(secret)
}

fn typed_twice() -> Result<Option<Secret>> {
    let Some(first) = password::ask("Password: ")? else { return Ok(None) };
    match password::ask("Once more: ")? {
        Some(second) if second.expose() == first.expose() => Ok(Some(first)),
        _ => bail!("the two are not the same; nothing was changed"),
    }
}

async fn hash(house: &House, secret: &Secret) -> Result<Secret> {
    let hasher: Hasher = crate::serve::hasher(&house.config)?;
    Ok(Secret::new(hasher.hash(secret).await?))
}

async fn grant(
    house: &House,
    name: &str,
    target: &str,
    view_only: bool,
    expires: Option<&str>,
) -> Result<()> {
    let now = Utc::now();
    let expires_at = expires.map(|text| until(text, now)).transpose()?;
    let (user, target) = (person(house, name).await?, house.target(target).await?);
    let entry = about(by_cli(Action::GrantSet), user.subject, &user.name)
        .with("target", target.id.to_string())
        .with("view_only", view_only);
    let row = GrantRow { user: user.id, target: target.id, view_only, expires_at };
    house.store.people().grants().set(row, entry, now).await?;
    let end = expires_at.map(|at| format!(" until {}", minute(at))).unwrap_or_default();
    println!("{} may {} {}{end}.", user.name, if view_only { "look at" } else { "use" }, target.name);
    Ok(())
}

async fn revoke(house: &House, name: &str, target: &str) -> Result<()> {
    let (user, target) = (person(house, name).await?, house.target(target).await?);
    let entry =
        about(by_cli(Action::GrantRemoved), user.subject, &user.name).with("target", target.id.to_string());
    house.store.people().grants().remove(user.id, target.id, entry, Utc::now()).await?;
    println!("{} may no longer use {}, unless by a group.", user.name, target.name);
    Ok(())
}

async fn grants(house: &House, name: &str) -> Result<()> {
    let user = person(house, name).await?;
    let now = Utc::now();
    for grant in house.store.people().grants().of_user(user.id).await? {
        let target = house.store.targets().find(grant.target).await?;
        let target = target.map_or_else(|| grant.target.to_string(), |target| target.name);
        let look = if grant.view_only { "  (view only)" } else { "" };
        let end = match grant.expires_at {
            Some(at) if at <= now => format!("  ended {}", minute(at)),
            Some(at) => format!("  until {}", minute(at)),
            None => String::new(),
        };
        println!("{target}{look}{end}");
    }
    Ok(())
}

async fn erase(house: &House, name: &str, yes: bool) -> Result<()> {
    if let Ok(subject) = name.parse::<SubjectId>() {
        return erase_removed(house, subject, yes).await;
    }
    let user = person(house, name).await?;
    let live =
        SessionFilter { user: Some(user.id), status: Some(SessionStatus::Active), ..Default::default() };
    let running = house.store.sessions().count(&live).await?;
    if running > 0 {
        bail!(
            "{name} has {running} running sessions, which would be written down again when they end; disable {name} first and wait until they are over"
        );
    }
    if !yes && !confirmed(name)? {
        bail!("nothing was erased; --yes erases without asking");
    }
    let entry = by_cli(Action::UserErased).on(Object::Person(user.subject));
    house.store.people().erase(user.id, entry, Utc::now()).await?;
    println!("Nothing leads to {name} any more; the audit log still verifies.");
    Ok(())
}

/// What is left of somebody whose entry is gone: names and addresses in past sessions and beside the audit log.
async fn erase_removed(house: &House, subject: SubjectId, yes: bool) -> Result<()> {
    if !yes && !confirmed(&subject.to_string())? {
        bail!("nothing was erased; --yes erases without asking");
    }
    let entry = by_cli(Action::UserErased).on(Object::Person(subject));
    house.store.people().erase_subject(subject, entry, Utc::now()).await?;
    println!("Nothing leads to {subject} any more; the audit log still verifies.");
    Ok(())
}

fn confirmed(name: &str) -> Result<bool> {
    use std::io::{BufRead, IsTerminal};
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprintln!("This cannot be undone. Type the name {name:?} to erase it:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == name)
}
