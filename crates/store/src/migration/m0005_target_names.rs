//! Names of targets are compared like those of people and groups: by their key.
//!
//! Names that were different and are one now stay apart: the later target's permanent number is put behind its name.

use model::name;
use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;
use std::collections::HashSet;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_target_names"
    }
}

const COLUMN: &str = "name_key";
const UNIQUE: &str = "idx_targets_name_key";
/// Characters of a name that are kept where a number is put behind it.
const KEPT: usize = 60;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(COLUMN).text().not_null().default("").take();
        manager.alter_table(Table::alter().table("targets").add_column(column).to_owned()).await?;
        let names = Query::select()
            .columns(["number", "name"])
            .from("targets")
            .order_by("number", Order::Asc)
            .to_owned();
        let mut rows: Vec<(i32, String)> = Vec::new();
        for row in manager.get_connection().query_all(&names).await? {
            rows.push((row.try_get("", "number")?, row.try_get("", "name")?));
        }
        let mut taken: HashSet<String> = rows.iter().map(|(_, name)| name::key(name)).collect();
        let mut seen = HashSet::new();
        for (number, mut name) in rows {
            if !seen.insert(name::key(&name)) {
                name = apart(&name, number, &taken);
                taken.insert(name::key(&name));
            }
            let change = Query::update()
                .table("targets")
                .value(COLUMN, name::key(&name))
                .value("name", name)
                .and_where(Expr::col("number").eq(number))
                .to_owned();
            manager.execute(change).await?;
        }
        let unique = Index::create().name(UNIQUE).table("targets").col(COLUMN).unique().to_owned();
        manager.create_index(unique).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(UNIQUE).table("targets").to_owned()).await?;
        manager.alter_table(Table::alter().table("targets").drop_column(COLUMN).to_owned()).await
    }
}

/// A name like this one that nobody has.
fn apart(name: &str, number: i32, taken: &HashSet<String>) -> String {
    let kept: String = name.chars().take(KEPT).collect();
    let mut other = format!("{} {number}", kept.trim());
    while taken.contains(&name::key(&other)) {
        other.push('a');
    }
    other
}
