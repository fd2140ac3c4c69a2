//! People, groups and grants: named once, changed by one at a time, and erasable.

use crate::house::{
    House, after, end_of, entry, hash, new_session, new_target, new_ticket, new_user, noon, on_both,
    stored_noon,
};
use model::audit::{Action, Object, Personal};
use model::session::EndReason;
use model::{Coded, GroupId, Policy, Role, SubjectId, TargetId, UserId};
use std::collections::HashSet;
use store::{
    AuditEntry, GrantRow, GroupChange, GroupRecord, GroupTarget, NewGroup, NewLogin, NewSession, NewTicket,
    NewUser, PageRequest, SessionFilter, TargetFilter, TargetRecord, UserChange, UserFilter, UserRecord, Via,
    Window,
};
use uuid::Uuid;

fn new_group(name: &str) -> NewGroup {
    NewGroup { id: GroupId(Uuid::now_v7()), name: name.to_owned(), description: "a class".to_owned() }
}

fn grant(user: &UserRecord, target: &TargetRecord) -> GrantRow {
    GrantRow { user: user.id, target: target.id, view_only: false, expires_at: None }
}

fn all_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn rename(name: &str) -> UserChange {
    UserChange { name: Some(name.to_owned()), ..UserChange::default() }
}

fn role(role: Role) -> UserChange {
    UserChange { role: Some(role), ..UserChange::default() }
}

impl House {
    async fn group(&self, name: &str) -> GroupRecord {
        self.store.people().groups().add(new_group(name), entry(), noon()).await.unwrap()
    }

    async fn join(&self, group: &GroupRecord, user: &UserRecord, operator: bool) {
        self.store.people().groups().set_member(group.id, user.id, operator, entry(), noon()).await.unwrap();
    }

    async fn share(&self, group: &GroupRecord, target: &TargetRecord, policy: Option<Policy>) {
        let grant = GroupTarget { group: group.id, target: target.id, policy };
        self.store.people().grants().set_group(grant, entry(), noon()).await.unwrap();
    }

    async fn visible(&self, user: &UserRecord, at: i64) -> Vec<String> {
        let listed = self.store.targets().visible_to(user.id, Window::default(), after(at)).await.unwrap();
        assert_eq!(listed.total, listed.items.len() as u64);
        listed.items.into_iter().map(|target| target.name).collect()
    }
}

on_both! {
    async fn a_person_is_found_by_id_name_and_subject(house) {
        let people = house.store.people();
        let new = NewUser {
            password_hash: Some("$argon2id$…".to_owned().into()),
            language: Some("ar".to_owned()),
            ..new_user("Zoë", Role::Analyst)
        };
        let zoe = people.add(new.clone(), entry(), noon()).await.unwrap();
        assert_eq!((zoe.id, zoe.subject, zoe.name.as_str(), zoe.role), (new.id, new.subject, "Zoë", Role::Analyst));
        assert_eq!((zoe.version, zoe.session_version, zoe.disabled), (1, 1, false));
        assert_eq!((zoe.created_at, zoe.language.as_deref()), (stored_noon(), Some("ar")));
        assert_eq!(zoe.password_hash, new.password_hash);
        assert_eq!(people.find(zoe.id).await.unwrap().as_ref(), Some(&zoe));
        assert_eq!(people.find_by_name("ZOË").await.unwrap().as_ref(), Some(&zoe));
        assert_eq!(people.find_by_name("zoe").await.unwrap(), None);
        assert_eq!(people.find_by_name("zo\0e").await.unwrap(), None);
        let known = people.by_subjects(&[zoe.subject, SubjectId(Uuid::nil())]).await.unwrap();
        assert_eq!((known.len(), &known[&zoe.subject]), (1, &zoe));
        assert!(!format!("{zoe:?}").contains("argon2id"));
    }

    async fn names_are_one_whatever_their_case(house) {
        let people = house.store.people();
        house.user("Straße", Role::User).await;
        let bob = house.user("bob", Role::User).await;
        for same in ["straße", "STRASSE", "strasse"] {
            let taken = people.add(new_user(same, Role::User), entry(), noon()).await.unwrap_err();
            assert_eq!(taken.code(), "people.name_taken", "{same}");
            let taken = people.change(bob.id, 1, rename(same), entry(), noon()).await.unwrap_err();
            assert_eq!(taken.code(), "people.name_taken", "{same}");
        }
        // A person may write their own name differently.
        people.change(bob.id, 1, rename("BOB"), entry(), noon()).await.unwrap();
        // Nothing of a refused change is written down.
        assert_eq!(house.whole_log().await, 3);
    }

    async fn names_that_deceive_are_refused(house) {
        let people = house.store.people();
        let long = "x".repeat(81);
        for (name, code) in [
            ("", "name.empty"), ("an\0n", "name.forbidden"), ("an\nn", "name.forbidden"), ("\u{202e}nna", "name.forbidden"),
            ("an\u{200b}n", "name.forbidden"), ("ann:desk", "name.separator"), ("a/b", "name.separator"), (&long, "name.too_long"),
        ] {
            let refused = people.add(new_user(name, Role::User), entry(), noon()).await.unwrap_err();
            assert_eq!(refused.code(), code, "{name:?}");
        }
        // Nobody sees what stands around a name.
        let trimmed = people.add(new_user(" sue ", Role::User), entry(), noon()).await.unwrap();
        assert_eq!(trimmed.name, "sue");
        for name in ["<script>alert(1)</script>".replace('/', ""), "'; DROP TABLE users; --".to_owned(), "أحمد".to_owned(), "a@b.example".to_owned(), "x".repeat(80)] {
            let new = NewUser { display_name: name.clone(), ..new_user(&name, Role::User) };
            people.add(new, entry(), noon()).await.unwrap();
            assert_eq!(people.find_by_name(&name).await.unwrap().unwrap().name, name);
        }
        let shown = NewUser { display_name: "\u{202e}txt.exe".to_owned(), ..new_user("eve", Role::User) };
        assert_eq!(people.add(shown, entry(), noon()).await.unwrap_err().code(), "people.text_invalid");
        let spoken = NewUser { language: Some("x".repeat(21)), ..new_user("eve", Role::User) };
        assert_eq!(people.add(spoken, entry(), noon()).await.unwrap_err().code(), "people.text_invalid");
    }

    async fn people_are_listed_by_name(house) {
        let people = house.store.people();
        for (name, role) in [("carol", Role::User), ("Ann", Role::Viewer), ("bob_1", Role::User), ("bobx1", Role::User)] {
            house.user(name, role).await;
        }
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        let carol = people.find_by_name("carol").await.unwrap().unwrap();
        people.change(carol.id, 1, off, entry(), noon()).await.unwrap();
        let names = |filter: UserFilter, window: Window| {
            let people = people.clone();
            async move {
                let listed = people.list(&filter, window).await.unwrap();
                (listed.items.into_iter().map(|user| user.name).collect::<Vec<_>>(), listed.total)
            }
        };
        let all = UserFilter::default;
        assert_eq!(names(all(), Window::default()).await, (all_of(&["Ann", "bob_1", "bobx1", "carol"]), 4));
        assert_eq!(names(all(), Window { limit: 2, offset: 1 }).await, (all_of(&["bob_1", "bobx1"]), 4));
        assert_eq!(names(all(), Window { limit: 0, offset: u64::MAX }).await, (vec![], 4));
        // The pattern's own characters are characters.
        let search = |text: &str| UserFilter { search: Some(text.to_owned()), ..all() };
        assert_eq!(names(search("B_1"), Window::default()).await, (all_of(&["bob_1"]), 1));
        assert_eq!(names(search("%"), Window::default()).await, (vec![], 0));
        assert_eq!(names(search("\\"), Window::default()).await, (vec![], 0));
        assert_eq!(names(search("a\0b"), Window::default()).await, (vec![], 0));
        assert_eq!(names(UserFilter { role: Some(Role::Viewer), ..all() }, Window::default()).await.1, 1);
        assert_eq!(names(UserFilter { disabled: Some(true), ..all() }, Window::default()).await.0, ["carol"]);
    }

    async fn of_two_administrators_one_changes_and_one_is_told(house) {
        let ann = house.user("ann", Role::User).await;
        let people = house.store.people();
        let changed = people.change(ann.id, 1, role(Role::Viewer), entry(), after(5)).await.unwrap();
        assert_eq!((changed.version, changed.role), (2, Role::Viewer));
        assert!(changed.updated_at > ann.updated_at);
        let late = people.change(ann.id, 1, role(Role::Admin), entry(), after(6)).await.unwrap_err();
        assert_eq!(late.code(), "people.changed_meanwhile");
        let gone = people.change(UserId(Uuid::nil()), 1, role(Role::Admin), entry(), noon()).await.unwrap_err();
        assert_eq!(gone.code(), "people.not_found");
        // Many at once, on several nodes: one wins each round.
        let stores = [house.store.clone(), house.neighbor().await, house.neighbor().await];
        for version in 2..5 {
            let tasks: Vec<_> = (0..12).map(|n| {
                let people = stores[n % 3].people();
                let change = UserChange { display_name: Some(format!("Ann {n}")), ..UserChange::default() };
                tokio::spawn(async move { people.change(ann.id, version, change, entry(), noon()).await })
            }).collect();
            let mut won = 0;
            for task in tasks {
                match task.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(refused) => assert_eq!(refused.code(), "people.changed_meanwhile"),
                }
            }
            assert_eq!(won, 1);
        }
        assert_eq!(people.find(ann.id).await.unwrap().unwrap().version, 5);
        // Who lost wrote nothing down: one addition, four changes.
        assert_eq!(house.whole_log().await, 5);
    }

    async fn the_last_administrator_stays(house) {
        let (ann, bob) = (house.user("ann", Role::Admin).await, house.user("bob", Role::Admin).await);
        let people = house.store.people();
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        people.change(bob.id, 1, off.clone(), entry(), noon()).await.unwrap();
        for refused in [
            people.change(ann.id, 1, off, entry(), noon()).await.map(drop),
            people.change(ann.id, 1, role(Role::Operator), entry(), noon()).await.map(drop),
            people.remove(ann.id, entry(), noon()).await.map(drop),
            people.erase(ann.id, entry(), noon()).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code(), "people.last_admin");
        }
        // Who cannot log in is not needed, and the last one may be renamed.
        people.remove(bob.id, entry(), noon()).await.unwrap();
        people.change(ann.id, 1, rename("anna"), entry(), noon()).await.unwrap();
    }

    async fn administrators_who_demote_each_other_leave_one(house) {
        let stores = [house.store.clone(), house.neighbor().await];
        let admins = || UserFilter { role: Some(Role::Admin), ..UserFilter::default() };
        let mut last: Option<UserRecord> = None;
        for round in 0..4 {
            let names = [format!("a{round}"), format!("b{round}")];
            let duel = [house.user(&names[0], Role::Admin).await, house.user(&names[1], Role::Admin).await];
            if let Some(last) = last {
                house.store.people().remove(last.id, entry(), noon()).await.unwrap();
            }
            let tasks = [0, 1].map(|n| {
                let (people, id) = (stores[n].people(), duel[n].id);
                tokio::spawn(async move {
                    if round % 2 == 0 {
                        people.change(id, 1, role(Role::User), entry(), noon()).await.map(drop)
                    } else {
                        people.remove(id, entry(), noon()).await.map(drop)
                    }
                })
            });
            let mut refused = Vec::new();
            for task in tasks {
                refused.extend(task.await.unwrap().err().map(|error| error.code()));
            }
            assert_eq!(refused, ["people.last_admin"]);
            let mut left = house.store.people().list(&admins(), Window::default()).await.unwrap();
            assert_eq!(left.total, 1);
            last = left.items.pop();
        }
    }

    async fn a_raised_cost_replaces_the_hash_only_if_it_still_is_the_old_one(house) {
        let ann = house.user("ann", Role::User).await;
        let people = house.store.people();
        let (old, new) = (model::Secret::new("old"), model::Secret::new("new"));
        people.set_password(ann.id, Some(old.clone()), None, entry(), noon()).await.unwrap();
        assert!(people.rehash(ann.id, old.clone(), new.clone()).await.unwrap());
        assert!(!people.rehash(ann.id, old, new.clone()).await.unwrap());
        let ann = people.find(ann.id).await.unwrap().unwrap();
        assert_eq!((ann.password_hash, ann.session_version), (Some(new), 2));
    }

    async fn groups_are_named_once_and_changed_by_one_at_a_time(house) {
        let groups = house.store.people().groups();
        let class = house.group("Class 4b").await;
        assert_eq!((class.version, class.description.as_str()), (1, "a class"));
        let taken = groups.add(new_group("class 4B"), entry(), noon()).await.unwrap_err();
        assert_eq!(taken.code(), "people.name_taken");
        assert_eq!(groups.find_by_name("CLASS 4b").await.unwrap().as_ref(), Some(&class));
        let change = GroupChange { name: Some("Class 5b".to_owned()), description: None };
        let changed = groups.change(class.id, 1, change.clone(), entry(), noon()).await.unwrap();
        assert_eq!((changed.version, changed.name.as_str(), changed.description.as_str()), (2, "Class 5b", "a class"));
        let late = groups.change(class.id, 1, change, entry(), noon()).await.unwrap_err();
        assert_eq!(late.code(), "people.changed_meanwhile");
        house.group("staff").await;
        let listed = groups.list(Some("CLASS"), Window::default()).await.unwrap();
        assert_eq!((listed.total, listed.items), (1, vec![changed]));
        groups.remove(class.id, entry(), noon()).await.unwrap();
        assert_eq!(groups.remove(class.id, entry(), noon()).await.unwrap_err().code(), "people.not_found");
        assert_eq!(groups.find(class.id).await.unwrap(), None);
    }

    async fn people_join_and_leave_groups(house) {
        let groups = house.store.people().groups();
        let (ann, bob) = (house.user("ann", Role::Operator).await, house.user("bob", Role::User).await);
        let (class, staff) = (house.group("class").await, house.group("staff").await);
        house.join(&class, &bob, false).await;
        house.join(&class, &ann, false).await;
        house.join(&class, &ann, true).await;
        house.join(&staff, &ann, false).await;
        let members = groups.members(class.id).await.unwrap();
        assert_eq!(members.iter().map(|m| (m.user.name.as_str(), m.operator)).collect::<Vec<_>>(), [("ann", true), ("bob", false)]);
        let of_ann = groups.of_user(ann.id).await.unwrap();
        assert_eq!(of_ann.iter().map(|m| (m.group.name.as_str(), m.operator)).collect::<Vec<_>>(), [("class", true), ("staff", false)]);
        assert_eq!(house.store.people().grants().operated_groups(ann.id).await.unwrap(), [class.id]);
        groups.remove_member(class.id, bob.id, entry(), noon()).await.unwrap();
        let gone = groups.remove_member(class.id, bob.id, entry(), noon()).await.unwrap_err();
        assert_eq!(gone.code(), "people.not_found");
        assert_eq!(groups.of_user(bob.id).await.unwrap(), []);
        for (group, user) in [(GroupId(Uuid::nil()), bob.id), (class.id, UserId(Uuid::nil()))] {
            let nobody = groups.set_member(group, user, false, entry(), noon()).await.unwrap_err();
            assert_eq!(nobody.code(), "people.not_found");
        }
    }

    async fn targets_are_seen_by_whom_they_are_granted_to(house) {
        let grants = house.store.people().grants();
        let (ann, bob, eve) = (house.user("ann", Role::User).await, house.user("bob", Role::Operator).await, house.user("eve", Role::User).await);
        let (class, staff) = (house.group("class").await, house.group("staff").await);
        let mut targets = Vec::new();
        for name in ["one", "two", "three", "four"] {
            targets.push(house.target(name).await);
        }
        grants.set(grant(&ann, &targets[0]), entry(), noon()).await.unwrap();
        grants.set(GrantRow { expires_at: Some(after(60)), ..grant(&ann, &targets[3]) }, entry(), noon()).await.unwrap();
        house.join(&class, &ann, false).await;
        house.join(&class, &bob, true).await;
        house.join(&staff, &bob, false).await;
        house.share(&class, &targets[1], None).await;
        house.share(&staff, &targets[2], None).await;
        assert_eq!(house.visible(&ann, 59).await, ["one", "two", "four"]);
        assert_eq!(house.visible(&ann, 60).await, ["one", "two"]);
        assert_eq!(house.visible(&bob, 0).await, ["two", "three"]);
        assert_eq!(house.visible(&eve, 0).await, Vec::<String>::new());
        let operated = TargetFilter { operated_by: Some(bob.id), ..TargetFilter::default() };
        let operated = house.store.targets().page(&operated, Window::default()).await.unwrap();
        assert_eq!(operated.items.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["two"]);
        assert!(grants.operates(bob.id, targets[1].id).await.unwrap());
        assert!(!grants.operates(bob.id, targets[2].id).await.unwrap());
        assert!(!grants.operates(ann.id, targets[1].id).await.unwrap());
        // Windows count what is seen, not what there is.
        let window = Window { limit: 1, offset: 1 };
        let listed = house.store.targets().visible_to(ann.id, window, noon()).await.unwrap();
        assert_eq!((listed.items[0].name.as_str(), listed.total), ("two", 3));
        grants.remove(ann.id, targets[0].id, entry(), noon()).await.unwrap();
        grants.remove_group(class.id, targets[1].id, entry(), noon()).await.unwrap();
        assert_eq!(house.visible(&ann, 60).await, Vec::<String>::new());
        for refused in [
            grants.remove(ann.id, targets[0].id, entry(), noon()).await,
            grants.remove_group(class.id, targets[1].id, entry(), noon()).await,
            grants.set(GrantRow { target: TargetId(Uuid::nil()), ..grant(&ann, &targets[0]) }, entry(), noon()).await,
            grants.set_group(GroupTarget { group: GroupId(Uuid::nil()), target: targets[0].id, policy: None }, entry(), noon()).await,
        ] {
            assert_eq!(refused.unwrap_err().code(), "people.not_found");
        }
    }

    async fn the_widest_grant_counts(house) {
        let people = house.store.people();
        let (ann, desk) = (house.user("ann", Role::User).await, house.target("desk").await);
        let of = |at: i64| {
            let targets = house.store.targets();
            async move { targets.grant_for(ann.id, desk.id, after(at)).await.unwrap() }
        };
        assert_eq!(of(0).await, None);
        let ann = people.find(ann.id).await.unwrap().unwrap();
        let desk = house.store.targets().find(desk.id).await.unwrap().unwrap();
        // Looking only, by a group.
        let (watchers, class) = (house.group("watchers").await, house.group("class").await);
        house.join(&watchers, &ann, false).await;
        house.share(&watchers, &desk, Some(Policy { view_only: true, ..Policy::default() })).await;
        let watching = of(0).await.unwrap();
        assert_eq!((watching.view_only, watching.via), (true, Via::Group(watchers.id)));
        // A grant of her own for a minute is wider while it lasts.
        let own = GrantRow { expires_at: Some(after(60)), ..grant(&ann, &desk) };
        people.grants().set(own.clone(), entry(), noon()).await.unwrap();
        let direct = of(59).await.unwrap();
        assert_eq!((direct.view_only, direct.via, direct.expires_at.is_some()), (false, Via::Direct, true));
        assert_eq!(of(60).await.unwrap().via, Via::Group(watchers.id));
        // One that lasts is wider than one that does not.
        house.join(&class, &ann, false).await;
        let rules = Policy { files: true, ..Policy::default() };
        house.share(&class, &desk, Some(rules.clone())).await;
        let lasting = of(0).await.unwrap();
        assert_eq!((lasting.via, lasting.policy, lasting.expires_at), (Via::Group(class.id), Some(rules), None));
        // Of equal ones her own.
        people.grants().set(GrantRow { expires_at: None, ..own }, entry(), noon()).await.unwrap();
        assert_eq!(of(0).await.unwrap().via, Via::Direct);
        assert_eq!(people.grants().of_user(ann.id).await.unwrap(), [grant(&ann, &desk)]);
        assert_eq!(people.grants().of_target(desk.id).await.unwrap(), [grant(&ann, &desk)]);
        assert_eq!(people.grants().of_group(class.id).await.unwrap()[0].target, desk.id);
        // Who is disabled has none.
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        people.change(ann.id, ann.version, off, entry(), noon()).await.unwrap();
        assert_eq!(of(0).await, None);
    }

    async fn who_is_disabled_or_removed_leaves_nothing_that_opens(house) {
        let people = house.store.people();
        let (ann, desk) = (house.user("ann", Role::User).await, house.target("desk").await);
        people.grants().set(grant(&ann, &desk), entry(), noon()).await.unwrap();
        house.join(&house.group("class").await, &ann, false).await;
        let cookie = hash();
        let login = NewLogin { cookie, expires_at: after(900), idle: Default::default(), address: String::new(), device: Some(hash()), footprint: None, user_agent: None };
        house.store.logins().start(&ann, login, entry(), noon()).await.unwrap();
        let ticket = NewTicket { owner: Some(ann.owner()), ..new_ticket(desk.id, 1) };
        house.store.tickets().issue(ticket.clone()).await.unwrap();
        let session = NewSession { owner: Some(ann.owner()), ..new_session(&desk) };
        house.store.sessions().start(session.clone()).await.unwrap();
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        let disabled = people.change(ann.id, 1, off, entry(), noon()).await.unwrap();
        assert_eq!((disabled.disabled, disabled.session_version), (true, 2));
        assert_eq!(house.store.logins().find(cookie, noon()).await.unwrap(), None);
        let taken = house.store.tickets().take(crate::house::take(ticket.token_hash), noon()).await.unwrap_err();
        assert_eq!(taken.code(), "ticket.unknown");
        people.remove(ann.id, entry(), noon()).await.unwrap();
        assert_eq!(people.find(ann.id).await.unwrap(), None);
        assert_eq!(people.remove(ann.id, entry(), noon()).await.unwrap_err().code(), "people.not_found");
        // The record of who was where stays.
        let row = house.store.sessions().find(session.id).await.unwrap().unwrap();
        assert_eq!((row.subject.as_str(), row.user, row.subject_id), ("ann", Some(ann.id), Some(ann.subject)));
    }

    async fn an_erased_person_is_gone_and_the_log_is_whole(house) {
        let people = house.store.people();
        let seen_by = |name: &str, address: &str| {
            AuditEntry::new(Action::LoggedIn).person(Personal::Name, name).person(Personal::Address, address)
        };
        let (ann, desk) = (house.user("ann", Role::User).await, house.target("desk").await);
        let admin = house.user("root", Role::Admin).await;
        house.store.audit().append(vec![seen_by("x", "192.0.2.1").by(admin.subject)], noon()).await.unwrap();
        let mine = AuditEntry::new(Action::LoggedIn).by(ann.subject).person(Personal::Name, "ann").person(Personal::Address, "192.0.2.7");
        let about = AuditEntry::new(Action::UserChanged).by(admin.subject).on(Object::Person(ann.subject)).person_of(Some(ann.subject), Personal::Name, "ann");
        let theirs = AuditEntry::new(Action::LoggedIn).by(admin.subject).person(Personal::Name, "root");
        house.store.audit().append(vec![mine, about, theirs], noon()).await.unwrap();
        let session = NewSession { owner: Some(ann.owner()), port_mapping: Some("5901:5900".to_owned()), ..new_session(&desk) };
        house.store.sessions().start(session.clone()).await.unwrap();
        house.store.sessions().end(end_of(session.id, EndReason::ViewerLeft)).await.unwrap();
        let others = NewSession { owner: Some(admin.owner()), subject: "root".to_owned(), ..new_session(&desk) };
        house.store.sessions().start(others.clone()).await.unwrap();

        let farewell = AuditEntry::new(Action::UserErased).by(admin.subject).on(Object::Person(ann.subject))
            .person_of(Some(ann.subject), Personal::Name, "ann");
        assert_eq!(people.erase(ann.id, farewell, after(9)).await.unwrap(), ann.subject);
        assert_eq!(people.find(ann.id).await.unwrap(), None);
        assert_eq!(people.find_by_name("ann").await.unwrap(), None);
        let row = house.store.sessions().find(session.id).await.unwrap().unwrap();
        assert_eq!((row.subject.as_str(), row.user, row.user_agent, row.port_mapping), ("erased", None, None, None));
        assert_eq!((row.client_ip.to_string().as_str(), row.client_port), ("0.0.0.0", 0));
        assert_eq!((row.subject_id, row.target), (Some(ann.subject), Some(desk.id)));
        let theirs = house.store.sessions().find(others.id).await.unwrap().unwrap();
        assert_eq!((theirs.subject.as_str(), theirs.user), ("root", Some(admin.id)));
        // Nobody named ann is left in the log, not even by the entry that says so; the others are.
        let log = house.audit_after(0).await;
        let values: Vec<_> = log.iter().flat_map(|row| row.people.values()).cloned().collect();
        assert_eq!(values.iter().filter(|value| value.contains("ann") || *value == "192.0.2.7").count(), 0, "{values:?}");
        assert!(values.contains(&"root".to_owned()));
        assert_eq!(log.last().unwrap().link.entry.action, "user.erased");
        assert_eq!(house.whole_log().await, log.len() as u64);
    }

    async fn who_was_removed_can_be_erased_later(house) {
        let people = house.store.people();
        let ann = house.user("ann", Role::User).await;
        let seen = AuditEntry::new(Action::LoggedIn).by(ann.subject).person(Personal::Name, "ann");
        house.store.audit().append(vec![seen], noon()).await.unwrap();
        let early = people.erase_subject(ann.subject, entry(), noon()).await.unwrap_err();
        assert_eq!(early.code(), "people.not_found");
        people.remove(ann.id, entry(), noon()).await.unwrap();
        people.erase_subject(ann.subject, entry(), noon()).await.unwrap();
        assert!(house.audit_after(0).await.iter().all(|row| row.people.is_empty()));
        let again = people.erase_subject(ann.subject, entry(), noon()).await.unwrap_err();
        assert_eq!(again.code(), "people.not_found");
        house.whole_log().await;
    }

    async fn an_operator_sees_the_sessions_of_the_class(house) {
        let (teacher, pupil, stranger) = (house.user("teacher", Role::Operator).await, house.user("pupil", Role::User).await, house.user("stranger", Role::User).await);
        let (class, other) = (house.group("class").await, house.group("other").await);
        let (shared, elsewhere) = (house.target("shared").await, house.target("elsewhere").await);
        house.join(&class, &teacher, true).await;
        house.join(&class, &pupil, false).await;
        house.join(&other, &teacher, false).await;
        house.join(&other, &stranger, false).await;
        house.share(&class, &shared, None).await;
        house.share(&other, &shared, None).await;
        house.share(&other, &elsewhere, None).await;
        let mut ids = Vec::new();
        for (user, target) in [(&pupil, &shared), (&pupil, &elsewhere), (&stranger, &shared), (&teacher, &elsewhere)] {
            let session = NewSession { owner: Some(user.owner()), ..new_session(target) };
            ids.push(session.id);
            house.store.sessions().start(session).await.unwrap();
        }
        let sessions = house.store.sessions();
        let found = |filter: SessionFilter| {
            let sessions = sessions.clone();
            async move {
                let page = sessions.list(&filter, &PageRequest::default()).await.unwrap();
                assert_eq!(sessions.count(&filter).await.unwrap(), page.items.len() as u64);
                page.items.into_iter().map(|row| row.id).collect::<HashSet<_>>()
            }
        };
        let operated = SessionFilter { operated_by: Some(teacher.id), ..SessionFilter::default() };
        assert_eq!(found(operated).await, HashSet::from([ids[0], ids[3]]));
        let own = SessionFilter { user: Some(pupil.id), ..SessionFilter::default() };
        assert_eq!(found(own).await, HashSet::from([ids[0], ids[1]]));
        let by_subject = SessionFilter { subject_id: Some(stranger.subject), ..SessionFilter::default() };
        assert_eq!(found(by_subject).await, HashSet::from([ids[2]]));
        let live = sessions.live_of(pupil.id, shared.id).await.unwrap();
        assert_eq!(live.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[0]]);
        sessions.end(end_of(ids[0], EndReason::Replaced)).await.unwrap();
        assert_eq!(sessions.live_of(pupil.id, shared.id).await.unwrap(), []);
    }

    async fn a_persons_tickets_are_withdrawn(house) {
        let (ann, bob) = (house.user("ann", Role::User).await, house.user("bob", Role::User).await);
        let (one, two) = (house.target("one").await, house.target("two").await);
        let tickets = house.store.tickets();
        for (n, user, target) in [(1, &ann, &one), (2, &ann, &two), (3, &bob, &one)] {
            let ticket = NewTicket { owner: Some(user.owner()), ..new_ticket(target.id, n) };
            tickets.issue(ticket).await.unwrap();
        }
        assert_eq!(tickets.revoke_of(ann.id, Some(one.id)).await.unwrap(), 1);
        assert_eq!(tickets.revoke_of(ann.id, None).await.unwrap(), 1);
        let taken = tickets.take(crate::house::take(store::TokenHash([3; 32])), noon()).await.unwrap();
        assert_eq!(taken.owner, Some(bob.owner()));
    }

    async fn grants_go_with_their_target(house) {
        let people = house.store.people();
        let ann = house.user("ann", Role::User).await;
        let target = house.store.targets().add(new_target("gone"), noon()).await.unwrap();
        people.grants().set(grant(&ann, &target), entry(), noon()).await.unwrap();
        house.share(&house.group("class").await, &target, None).await;
        house.store.targets().remove(target.id, noon()).await.unwrap();
        assert_eq!(people.grants().of_user(ann.id).await.unwrap(), []);
    }
}
