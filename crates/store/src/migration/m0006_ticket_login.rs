//! Which log-in asked for a ticket, so that the ticket and its session end with it, also after a restart; and tickets by
//! their session, which gives one back that it took for nothing.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_ticket_login"
    }
}

const COLUMN: &str = "login";
const INDEXES: [(&str, &str); 2] = [("idx_tickets_login", COLUMN), ("idx_tickets_session", "session_id")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(COLUMN).string_len(80).take();
        manager.alter_table(Table::alter().table("tickets").add_column(column).to_owned()).await?;
        for (name, column) in INDEXES {
            manager.create_index(Index::create().name(name).table("tickets").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table("tickets").to_owned()).await?;
        }
        manager.alter_table(Table::alter().table("tickets").drop_column(COLUMN).to_owned()).await
    }
}
