//! `gatehouse admin group`.

use super::{by_cli, person};
use crate::cli::{GroupCommand, MemberCommand};
use crate::house::House;
use anyhow::{Context, Result};
use chrono::Utc;
use model::audit::{Action, Object, Personal};
use model::{GroupId, Policy, Role};
use std::collections::HashMap;
use store::{GroupRecord, GroupTarget, MAX_PAGE, NewGroup, Window};
use uuid::Uuid;

pub(crate) async fn run(house: &House, command: GroupCommand) -> Result<()> {
    match command {
        GroupCommand::Add { name, description } => add(house, name, description).await,
        GroupCommand::List => list(house).await,
        GroupCommand::Remove { name } => remove(house, &name).await,
        GroupCommand::Member(MemberCommand::Add { group, user, operator }) => {
            add_member(house, &group, &user, operator).await
        }
        GroupCommand::Member(MemberCommand::Remove { group, user }) => {
            remove_member(house, &group, &user).await
        }
        GroupCommand::Grant { group, target, view_only } => grant(house, &group, &target, view_only).await,
        GroupCommand::Revoke { group, target } => revoke(house, &group, &target).await,
    }
}

async fn find(house: &House, name: &str) -> Result<GroupRecord> {
    let found = house.store.people().groups().find_by_name(name).await?;
    found.with_context(|| format!("no group is called {name:?}; `gatehouse admin group list` shows them"))
}

async fn add(house: &House, name: String, description: String) -> Result<()> {
    let id = GroupId(Uuid::now_v7());
    let entry = by_cli(Action::GroupAdded).on(Object::Group(id)).with("name", name.as_str());
    let group =
        house.store.people().groups().add(NewGroup { id, name, description }, entry, Utc::now()).await?;
    println!("{}", group.name);
    Ok(())
}

async fn list(house: &House) -> Result<()> {
    let (groups, grants) = (house.store.people().groups(), house.store.people().grants());
    let targets: HashMap<_, _> =
        house.store.targets().list().await?.into_iter().map(|target| (target.id, target.name)).collect();
    let mut window = Window { limit: MAX_PAGE, offset: 0 };
    loop {
        let page = groups.list(None, window).await?;
        for group in &page.items {
            println!("{}", group.name);
            for member in groups.members(group.id).await? {
                println!(
                    "  person  {}{}",
                    member.user.name,
                    if member.operator { "  (operator)" } else { "" }
                );
            }
            for grant in grants.of_group(group.id).await? {
                let name = targets.get(&grant.target).map_or("?", String::as_str);
                let look = grant.policy.is_some_and(|policy| policy.view_only);
                println!("  target  {name}{}", if look { "  (view only)" } else { "" });
            }
        }
        window.offset = window.offset.saturating_add(u64::from(window.limit));
        if window.offset >= page.total {
            return Ok(());
        }
    }
}

async fn remove(house: &House, name: &str) -> Result<()> {
    let group = find(house, name).await?;
    let entry = by_cli(Action::GroupRemoved).on(Object::Group(group.id)).with("name", group.name.as_str());
    house.store.people().groups().remove(group.id, entry, Utc::now()).await?;
    println!("Removed {name}. What its people could use by it they cannot use any more.");
    Ok(())
}

async fn add_member(house: &House, group: &str, user: &str, operator: bool) -> Result<()> {
    let (group, user) = (find(house, group).await?, person(house, user).await?);
    let entry = by_cli(Action::MemberSet)
        .on(Object::Group(group.id))
        .person_of(Some(user.subject), Personal::Name, &user.name)
        .with("member", user.subject.to_string())
        .with("operator", operator);
    house.store.people().groups().set_member(group.id, user.id, operator, entry, Utc::now()).await?;
    println!("{} is in {}.", user.name, group.name);
    if operator && !matches!(user.role, Role::Operator | Role::Admin) {
        eprintln!("It takes the role as well: gatehouse admin user set-role {:?} operator", user.name);
    }
    Ok(())
}

async fn remove_member(house: &House, group: &str, user: &str) -> Result<()> {
    let (group, user) = (find(house, group).await?, person(house, user).await?);
    let entry = by_cli(Action::MemberRemoved)
        .on(Object::Group(group.id))
        .person_of(Some(user.subject), Personal::Name, &user.name)
        .with("member", user.subject.to_string());
    house.store.people().groups().remove_member(group.id, user.id, entry, Utc::now()).await?;
    println!("{} is no longer in {}.", user.name, group.name);
    Ok(())
}

async fn grant(house: &House, group: &str, target: &str, view_only: bool) -> Result<()> {
    let (group, target) = (find(house, group).await?, house.target(target).await?);
    let entry = by_cli(Action::GroupTargetSet)
        .on(Object::Group(group.id))
        .with("target", target.id.to_string())
        .with("view_only", view_only);
    let policy = view_only.then(|| Policy { view_only, ..Policy::default() });
    let grant = GroupTarget { group: group.id, target: target.id, policy };
    house.store.people().grants().set_group(grant, entry, Utc::now()).await?;
    println!(
        "The people of {} may {} {}.",
        group.name,
        if view_only { "look at" } else { "use" },
        target.name
    );
    Ok(())
}

async fn revoke(house: &House, group: &str, target: &str) -> Result<()> {
    let (group, target) = (find(house, group).await?, house.target(target).await?);
    let entry =
        by_cli(Action::GroupTargetRemoved).on(Object::Group(group.id)).with("target", target.id.to_string());
    house.store.people().grants().remove_group(group.id, target.id, entry, Utc::now()).await?;
    println!("The people of {} may no longer use {} by it.", group.name, target.name);
    Ok(())
}
