//! A one-time password beside a ticket's token, for viewers that know only VncAuth.
//!
//! The response to a DES challenge can be checked only by who knows the password, so it is sealed, not hashed.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_vnc_auth"
    }
}

const COLUMN: &str = "sealed_vnc_password";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(COLUMN).blob().take();
        manager.alter_table(Table::alter().table("tickets").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("tickets").drop_column(COLUMN).to_owned()).await
    }
}
