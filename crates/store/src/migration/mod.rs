//! The schema's history. Each step is written once, by hand, and rendered for the database at hand; both are
//! run up and down in the tests. A step that was released is never changed.

mod m0001_first;
mod m0002_vnc_auth;
mod m0003_people;
mod m0004_origins;
mod m0005_target_names;
mod m0006_ticket_login;

use crate::connection::Database;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Key of PostgreSQL's advisory lock: "gatehous" in ASCII.
const LOCK: i64 = 0x6761_7465_686f_7573;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first::Migration),
            Box::new(m0002_vnc_auth::Migration),
            Box::new(m0003_people::Migration),
            Box::new(m0004_origins::Migration),
            Box::new(m0005_target_names::Migration),
            Box::new(m0006_ticket_login::Migration),
        ]
    }
}

/// Runs what is missing, in one transaction that two starting processes enter one after the other.
pub(crate) async fn bring_up_to_date(database: &Database) -> Result<(), DbErr> {
    let transaction = locked(database).await?;
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

async fn locked(database: &Database) -> Result<DatabaseTransaction, DbErr> {
    let transaction = database.begin().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    Ok(transaction)
}

#[cfg(test)]
pub(crate) async fn take_down(database: &Database) -> Result<(), DbErr> {
    let transaction = locked(database).await?;
    Migrator::down(&transaction, None).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseUrl, Options};
    use model::target::{Kind, Origin};
    use sea_orm::{FromQueryResult, Statement};

    #[derive(FromQueryResult)]
    struct Name {
        name: String,
    }

    async fn tables(database: &Database) -> Vec<String> {
        let sql = match database.dialect() {
            "sqlite" => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            }
            _ => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        };
        let rows = database
            .read(|db| {
                let statement = Statement::from_string(db.get_database_backend(), sql);
                Box::pin(Name::find_by_statement(statement).all(db))
            })
            .await
            .unwrap();
        rows.into_iter().map(|row| row.name).collect()
    }

    /// Up, up again, down and up: the schema is the same each time, and down leaves nothing.
    async fn there_and_back(url: DatabaseUrl) {
        let database = Database::connect(&url, &Options::default()).await.unwrap();
        bring_up_to_date(&database).await.unwrap();
        let first = tables(&database).await;
        assert_eq!(
            first,
            [
                "admin_links",
                "api_tokens",
                "audit",
                "audit_heads",
                "audit_people",
                "audit_state",
                "group_members",
                "group_targets",
                "groups",
                "known_devices",
                "login_sessions",
                "nodes",
                "refresh_tokens",
                "seaql_migrations",
                "sequences",
                "settings",
                "target_grants",
                "targets",
                "tickets",
                "users",
                "vnc_sessions"
            ]
        );
        bring_up_to_date(&database).await.unwrap();
        assert_eq!(tables(&database).await, first);
        take_down(&database).await.unwrap();
        assert_eq!(tables(&database).await, ["seaql_migrations"]);
        bring_up_to_date(&database).await.unwrap();
        assert_eq!(tables(&database).await, first);
        database.close().await;
    }

    /// What was stored before a step is there after it, and means the same.
    async fn rows_of_earlier_steps_stay(url: DatabaseUrl) {
        let database = Database::connect(&url, &Options::default()).await.unwrap();
        let transaction = locked(&database).await.unwrap();
        Migrator::up(&transaction, Some(2)).await.unwrap();
        for (number, address) in
            [(1, r#"{"tcp":{"host":"desk.example","port":5901}}"#), (2, r#""test_card""#)]
        {
            let id = if database.dialect() == "sqlite" {
                format!("x'{number:032x}'")
            } else {
                format!("'{number:032x}'")
            };
            let time = "'2026-11-20T12:00:00+00:00'";
            let sql = format!(
                "INSERT INTO targets (id, number, name, address, security, created_at, updated_at)
                 VALUES ({id}, {number}, 't{number}', '{address}', '{{}}', {time}, {time})"
            );
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        transaction.commit().await.unwrap();
        database.close().await;
        let store = crate::Store::open(&url, Options::default()).await.unwrap();
        let found: Vec<_> = store
            .targets()
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|target| (target.name, target.kind, target.tags.len(), target.version))
            .collect();
        let expected = [("t1".to_owned(), Kind::Vnc, 0, 1), ("t2".to_owned(), Kind::TestCard, 0, 1)];
        assert_eq!(found, expected);
        store.close().await;
    }

    /// Whose word an address is nobody wrote down before the fourth step: where there are people, only what operators
    /// were never let enter is an administrator's.
    async fn origins_are_found_out(url: DatabaseUrl, is_peopled: bool) {
        let database = Database::connect(&url, &Options::default()).await.unwrap();
        let transaction = locked(&database).await.unwrap();
        Migrator::up(&transaction, Some(3)).await.unwrap();
        let id = |n: i32| match database.dialect() {
            "sqlite" => format!("x'{n:032x}'"),
            _ => format!("'{n:032x}'"),
        };
        let time = "'2026-11-20T12:00:00+00:00'";
        let mut rows: Vec<String> = ["desk.example", "127.0.0.1", "localhost", "localhost.example", "::1"]
            .map(|host| format!(r#"{{"tcp":{{"host":"{host}","port":5901}}}}"#))
            .to_vec();
        rows.push(r#"{"unix":{"path":"/run/desk"}}"#.to_owned());
        for (n, address) in (1..).zip(&rows) {
            let sql = format!(
                "INSERT INTO targets (id, number, name, address, security, created_at, updated_at)
                 VALUES ({}, {n}, 't{n}', '{address}', '{{}}', {time}, {time})",
                id(n)
            );
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        if is_peopled {
            let sql = format!(
                "INSERT INTO users (id, name, name_key, display_name, role, subject_id, created_at, updated_at)
                 VALUES ({}, 'ada', 'ada', 'Ada', 'admin', {}, {time}, {time})",
                id(1),
                id(2)
            );
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        transaction.commit().await.unwrap();
        database.close().await;
        let store = crate::Store::open(&url, Options::default()).await.unwrap();
        let found: Vec<_> = store.targets().list().await.unwrap().into_iter().map(|t| t.origin).collect();
        use Origin::{Administrator, Operator};
        let unknown = if is_peopled { Operator } else { Administrator };
        assert_eq!(found, [unknown, Administrator, Administrator, unknown, Administrator, Administrator]);
        store.close().await;
    }

    #[tokio::test]
    async fn origins_on_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        for is_peopled in [true, false] {
            let file = directory.path().join(format!("{is_peopled}.db"));
            origins_are_found_out(DatabaseUrl::file(file), is_peopled).await;
        }
    }

    #[tokio::test]
    async fn origins_on_postgresql() {
        let server = testkit::pg::Server::obtain().unwrap();
        for is_peopled in [true, false] {
            let database = server.database(None).unwrap();
            origins_are_found_out(database.url().parse().unwrap(), is_peopled).await;
        }
    }

    /// Names that became one are told apart by the target's number.
    async fn names_stay_apart(url: DatabaseUrl) {
        let database = Database::connect(&url, &Options::default()).await.unwrap();
        let transaction = locked(&database).await.unwrap();
        Migrator::up(&transaction, Some(3)).await.unwrap();
        let time = "'2026-11-20T12:00:00+00:00'";
        for (n, name) in (1..).zip(["Desk", "desk", "ＤＥＳＫ", "desk 2", "مكتب"]) {
            let id = match database.dialect() {
                "sqlite" => format!("x'{n:032x}'"),
                _ => format!("'{n:032x}'"),
            };
            let sql = format!(
                "INSERT INTO targets (id, number, name, address, security, created_at, updated_at)
                 VALUES ({id}, {n}, '{name}', '\"test_card\"', '{{}}', {time}, {time})"
            );
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        transaction.commit().await.unwrap();
        database.close().await;
        let store = crate::Store::open(&url, Options::default()).await.unwrap();
        let names: Vec<_> = store.targets().list().await.unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["Desk", "desk 2a", "ＤＥＳＫ 3", "desk 2", "مكتب"]);
        assert_eq!(store.targets().find_by_name("DESK").await.unwrap().unwrap().number, 1);
        store.close().await;
    }

    #[tokio::test]
    async fn names_stay_apart_on_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        names_stay_apart(DatabaseUrl::file(directory.path().join("g.db"))).await;
    }

    #[tokio::test]
    async fn names_stay_apart_on_postgresql() {
        let server = testkit::pg::Server::obtain().unwrap();
        let database = server.database(None).unwrap();
        names_stay_apart(database.url().parse().unwrap()).await;
    }

    #[tokio::test]
    async fn rows_stay_on_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        rows_of_earlier_steps_stay(DatabaseUrl::file(directory.path().join("g.db"))).await;
    }

    #[tokio::test]
    async fn rows_stay_on_postgresql() {
        let server = testkit::pg::Server::obtain().unwrap();
        let database = server.database(None).unwrap();
        rows_of_earlier_steps_stay(database.url().parse().unwrap()).await;
    }

    #[tokio::test]
    async fn sqlite_goes_up_and_down() {
        let directory = tempfile::tempdir().unwrap();
        there_and_back(DatabaseUrl::file(directory.path().join("g.db"))).await;
        there_and_back(DatabaseUrl::memory()).await;
    }

    #[tokio::test]
    async fn postgresql_goes_up_and_down() {
        let server = testkit::pg::Server::obtain().unwrap();
        let database = server.database(None).unwrap();
        there_and_back(database.url().parse().unwrap()).await;
        // The indexes of the session table, by name.
        let indexes = database
            .run("SELECT indexname FROM pg_indexes WHERE tablename = 'vnc_sessions' AND indexname LIKE 'idx%' ORDER BY 1")
            .unwrap();
        assert_eq!(indexes.lines().count(), 7, "{indexes}");
    }

    /// Several processes on an empty database: one makes the tables, the others find them.
    async fn all_at_once(url: DatabaseUrl) {
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { crate::Store::open(&url, Options::default()).await })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap().ping().await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn first_starts_at_once_on_sqlite() {
        // The window is short: one round in a few hundred met it before first openings waited for each other.
        let directory = tempfile::tempdir().unwrap();
        for round in 0..8 {
            all_at_once(DatabaseUrl::file(directory.path().join(format!("{round}.db")))).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn first_starts_at_once_on_postgresql() {
        let server = testkit::pg::Server::obtain().unwrap();
        let database = server.database(None).unwrap();
        all_at_once(database.url().parse().unwrap()).await;
    }
}
