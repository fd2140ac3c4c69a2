//! Whose word a target's address is.
//!
//! Nobody wrote down who entered the addresses that are there. Where there are no people yet it was an administrator.
//! Else it may have been an operator, unless the address names this machine, which operators were never let.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_origins"
    }
}

const COLUMN: &str = "origin";
/// How addresses that name this machine were written when this step was.
const THIS_MACHINE: [&str; 4] = [
    r#"{"unix":%"#,
    r#"{"tcp":{"host":"127.%"#,
    r#"{"tcp":{"host":"localhost"%"#,
    r#"{"tcp":{"host":"::1"%"#,
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(COLUMN).string_len(20).not_null().default("operator").take();
        manager.alter_table(Table::alter().table("targets").add_column(column).to_owned()).await?;
        let people = Query::select().expr(Expr::val(1)).from("users").to_owned();
        let administrators =
            THIS_MACHINE.iter().fold(Cond::any().add(Expr::exists(people).not()), |any, form| {
                any.add(Expr::col("address").like(*form))
            });
        let known = Query::update()
            .table("targets")
            .value(COLUMN, "administrator")
            .cond_where(administrators)
            .to_owned();
        manager.execute(known).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("targets").drop_column(COLUMN).to_owned()).await
    }
}
