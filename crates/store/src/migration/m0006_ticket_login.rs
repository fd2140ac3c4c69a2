//! Which log-in asked for a ticket, so that the ticket and its session end with it, also after a restart.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_ticket_login"
    }
}

const COLUMN: &str = "login";
const INDEX: &str = "idx_tickets_login";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(COLUMN).string_len(80).take();
        manager.alter_table(Table::alter().table("tickets").add_column(column).to_owned()).await?;
        manager.create_index(Index::create().name(INDEX).table("tickets").col(COLUMN).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(INDEX).table("tickets").to_owned()).await?;
        manager.alter_table(Table::alter().table("tickets").drop_column(COLUMN).to_owned()).await
    }
}
