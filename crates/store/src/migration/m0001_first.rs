//! Targets, tickets, sessions, admin links and sessions, nodes, settings.
//!
//! `vnc_sessions` has the columns that monitoring tools expect of such a table (addresses, ports, times, status,
//! transfer and operation counts, scores), and beside them what a gateway knows: target, subject, node, boot and
//! why it ended.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_first"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            nodes(),
            settings(),
            sequences(),
            targets(),
            vnc_sessions(),
            tickets(),
            admin_links(),
            admin_sessions(),
        ] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let first = Query::insert()
            .into_table("sequences")
            .columns(["name", "last"])
            .values_panic(["target_number".into(), 0.into()])
            .to_owned();
        manager.execute(first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "admin_sessions",
            "admin_links",
            "tickets",
            "vnc_sessions",
            "targets",
            "sequences",
            "settings",
            "nodes",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn id() -> ColumnDef {
    ColumnDef::new("id").uuid().not_null().primary_key().to_owned()
}

fn hash(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary_len(32).to_owned()
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().to_owned()
}

fn count(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).to_owned()
}

fn score(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).double().not_null().default(0.0).to_owned()
}

/// One row for each installation that ever used this database.
fn nodes() -> TableCreateStatement {
    Table::create()
        .table("nodes")
        .col(id())
        .col(ColumnDef::new("boot_id").uuid().not_null())
        .col(time("started_at").not_null())
        .to_owned()
}

fn settings() -> TableCreateStatement {
    Table::create()
        .table("settings")
        .col(ColumnDef::new("name").string_len(100).not_null().primary_key())
        .col(ColumnDef::new("value").text().not_null())
        .col(time("updated_at").not_null())
        .to_owned()
}

/// Numbers that are handed out once and never again, also after what carried them is gone.
fn sequences() -> TableCreateStatement {
    Table::create()
        .table("sequences")
        .col(ColumnDef::new("name").string_len(100).not_null().primary_key())
        .col(ColumnDef::new("last").integer().not_null())
        .to_owned()
}

fn targets() -> TableCreateStatement {
    Table::create()
        .table("targets")
        .col(id())
        .col(ColumnDef::new("number").integer().not_null().unique_key())
        .col(ColumnDef::new("name").string_len(255).not_null().unique_key())
        .col(ColumnDef::new("address").text().not_null())
        .col(ColumnDef::new("security").text().not_null())
        .col(ColumnDef::new("username").text())
        .col(ColumnDef::new("sealed_secret").blob())
        .col(time("created_at").not_null())
        .col(time("updated_at").not_null())
        .to_owned()
}

fn vnc_sessions() -> TableCreateStatement {
    Table::create()
        .table("vnc_sessions")
        .col(id())
        .col(ColumnDef::new("client_ip").string_len(45).not_null())
        .col(ColumnDef::new("server_ip").string_len(45))
        .col(ColumnDef::new("client_port").integer().not_null())
        .col(ColumnDef::new("server_port").integer())
        .col(time("start_time").not_null())
        .col(time("end_time"))
        .col(ColumnDef::new("status").string_len(20).not_null().default("active"))
        .col(score("data_transferred"))
        .col(count("packets_sent"))
        .col(count("packets_received"))
        .col(count("screenshots_count"))
        .col(count("clipboard_operations"))
        .col(count("file_operations"))
        .col(score("risk_score"))
        .col(score("anomaly_score"))
        .col(ColumnDef::new("auth_method").string_len(50))
        .col(ColumnDef::new("user_agent").text())
        .col(time("created_at").not_null())
        .col(time("updated_at").not_null())
        .col(ColumnDef::new("protocol").string_len(20).not_null())
        .col(ColumnDef::new("ingress").string_len(20).not_null())
        .col(ColumnDef::new("subject").text().not_null())
        .col(ColumnDef::new("target_id").uuid())
        .col(ColumnDef::new("target_name").string_len(255).not_null())
        .col(ColumnDef::new("policy").text().not_null())
        .col(hash("token_hash"))
        .col(time("expires_at"))
        .col(ColumnDef::new("node_id").uuid().not_null())
        .col(ColumnDef::new("boot_id").uuid().not_null())
        .col(count("attachment"))
        .col(ColumnDef::new("end_reason").string_len(50))
        .col(ColumnDef::new("end_code").string_len(100))
        .col(count("viewer_bytes"))
        .col(count("target_bytes"))
        .col(count("rectangles"))
        .col(count("key_events"))
        .col(count("pointer_events"))
        .col(count("dropped_messages"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_vnc_sessions_target")
                .from("vnc_sessions", "target_id")
                .to("targets", "id")
                .on_delete(ForeignKeyAction::SetNull),
        )
        .to_owned()
}

fn tickets() -> TableCreateStatement {
    Table::create()
        .table("tickets")
        .col(id())
        .col(hash("token_hash").not_null().unique_key())
        .col(ColumnDef::new("target_id").uuid().not_null())
        .col(ColumnDef::new("policy").text().not_null())
        .col(ColumnDef::new("subject").text().not_null())
        .col(time("created_at").not_null())
        .col(time("expires_at").not_null())
        .col(time("taken_at"))
        .col(ColumnDef::new("taken_by").string_len(64))
        .col(ColumnDef::new("session_id").uuid())
        .col(hash("resume_hash"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_tickets_target")
                .from("tickets", "target_id")
                .to("targets", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn admin_links() -> TableCreateStatement {
    Table::create()
        .table("admin_links")
        .col(hash("token_hash").not_null().primary_key())
        .col(time("created_at").not_null())
        .col(time("expires_at").not_null())
        .col(time("used_at"))
        .to_owned()
}

fn admin_sessions() -> TableCreateStatement {
    Table::create()
        .table("admin_sessions")
        .col(hash("cookie_hash").not_null().primary_key())
        .col(time("created_at").not_null())
        .col(time("expires_at").not_null())
        .col(ColumnDef::new("address").string_len(64).not_null())
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let sessions = |name: &'static str| Index::create().name(name).table("vnc_sessions").to_owned();
    vec![
        sessions("idx_vnc_sessions_status").col("status").to_owned(),
        sessions("idx_vnc_sessions_risk_score").col(("risk_score", IndexOrder::Desc)).to_owned(),
        sessions("idx_vnc_sessions_start_time")
            .col(("start_time", IndexOrder::Desc))
            .col(("id", IndexOrder::Desc))
            .to_owned(),
        sessions("idx_vnc_sessions_target").col("target_id").col("start_time").to_owned(),
        sessions("idx_vnc_sessions_node").col("node_id").col("status").to_owned(),
        Index::create().name("idx_tickets_target").table("tickets").col("target_id").to_owned(),
        Index::create().name("idx_tickets_expires_at").table("tickets").col("expires_at").to_owned(),
    ]
}
