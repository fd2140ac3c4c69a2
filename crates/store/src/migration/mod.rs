//! The schema's history. Each step is written once, by hand, and rendered for the database at hand; both are
//! run up and down in the tests. A step that was released is never changed.

mod m0001_first;

use crate::OpenError;
use crate::connection::Database;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Key of PostgreSQL's advisory lock: "gatehous" in ASCII.
const LOCK: i64 = 0x6761_7465_686f_7573;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_first::Migration)]
    }
}

/// Runs what is missing, in one transaction that two starting processes enter one after the other.
pub(crate) async fn bring_up_to_date(database: &Database) -> Result<(), OpenError> {
    let transaction = locked(database).await.map_err(OpenError::Migration)?;
    Migrator::up(&transaction, None).await.map_err(OpenError::Migration)?;
    transaction.commit().await.map_err(OpenError::Migration)
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
