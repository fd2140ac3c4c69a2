//! People, groups, grants, log-ins, API tokens, the audit log; and what targets, tickets and sessions gain by them.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("admin_sessions").to_owned()).await?;
        for table in tables() {
            manager.create_table(table).await?;
        }
        for (table, columns) in additions() {
            for mut column in columns {
                // SQLite takes one column at a time.
                manager.alter_table(Table::alter().table(table).add_column(&mut column).to_owned()).await?;
            }
        }
        let test_cards = Query::update()
            .table("targets")
            .value("kind", "test_card")
            .and_where(Expr::col("address").eq(TEST_CARD))
            .to_owned();
        manager.execute(test_cards).await?;
        for name in REPLACED {
            manager.drop_index(Index::drop().name(name).table("vnc_sessions").to_owned()).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let start = Query::insert()
            .into_table("audit_state")
            .columns(["id", "last_seq", "last_hash"])
            .values_panic([1.into(), 0.into(), vec![0_u8; 32].into()])
            .to_owned();
        manager.execute(start).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in NEW_ON_OLD_TABLES {
            manager.drop_index(Index::drop().name(index.0).table(index.1).to_owned()).await?;
        }
        for index in replaced_indexes() {
            manager.create_index(index).await?;
        }
        for (table, columns) in additions() {
            for column in columns {
                let name = column.get_column_name();
                manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
            }
        }
        for table in [
            "audit_people",
            "audit_heads",
            "audit_state",
            "audit",
            "known_devices",
            "api_tokens",
            "refresh_tokens",
            "login_sessions",
            "target_grants",
            "group_targets",
            "group_members",
            "groups",
            "users",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.create_table(admin_sessions()).await
    }
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        users(),
        groups(),
        group_members(),
        group_targets(),
        target_grants(),
        login_sessions(),
        refresh_tokens(),
        api_tokens(),
        known_devices(),
        audit(),
        audit_state(),
        audit_heads(),
        audit_people(),
    ]
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().to_owned()
}

fn hash(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary_len(32).to_owned()
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().to_owned()
}

fn words(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).to_owned()
}

fn number(name: &'static str, from: i64) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(from).to_owned()
}

fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(false).to_owned()
}

/// Rows that are worth nothing without the row they refer to.
fn part_of(table: &'static str, column: &'static str, whole: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(whole, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// `name_key` is the name as it is compared: without case. `version` counts changes of the entry, `session_version`
/// counts how often all log-ins of the person were ended.
fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(id("id").not_null().primary_key())
        .col(words("name", 255).not_null())
        .col(words("name_key", 255).not_null().unique_key())
        .col(words("display_name", 255).not_null())
        .col(text("password_hash"))
        .col(words("role", 20).not_null())
        .col(id("subject_id").not_null().unique_key())
        .col(flag("disabled"))
        .col(number("version", 1))
        .col(number("session_version", 1))
        .col(time("created_at").not_null())
        .col(time("updated_at").not_null())
        .col(time("last_login_at"))
        .col(words("language", 20))
        .to_owned()
}

fn groups() -> TableCreateStatement {
    Table::create()
        .table("groups")
        .col(id("id").not_null().primary_key())
        .col(words("name", 255).not_null())
        .col(words("name_key", 255).not_null().unique_key())
        .col(text("description").not_null())
        .col(number("version", 1))
        .col(time("created_at").not_null())
        .col(time("updated_at").not_null())
        .to_owned()
}

fn group_members() -> TableCreateStatement {
    Table::create()
        .table("group_members")
        .col(id("group_id").not_null())
        .col(id("user_id").not_null())
        .col(flag("operator"))
        .primary_key(Index::create().col("group_id").col("user_id"))
        .foreign_key(&mut part_of("group_members", "group_id", "groups"))
        .foreign_key(&mut part_of("group_members", "user_id", "users"))
        .to_owned()
}

fn group_targets() -> TableCreateStatement {
    Table::create()
        .table("group_targets")
        .col(id("group_id").not_null())
        .col(id("target_id").not_null())
        .col(text("policy"))
        .primary_key(Index::create().col("group_id").col("target_id"))
        .foreign_key(&mut part_of("group_targets", "group_id", "groups"))
        .foreign_key(&mut part_of("group_targets", "target_id", "targets"))
        .to_owned()
}

fn target_grants() -> TableCreateStatement {
    Table::create()
        .table("target_grants")
        .col(id("user_id").not_null())
        .col(id("target_id").not_null())
        .col(flag("view_only"))
        .col(time("expires_at"))
        .primary_key(Index::create().col("user_id").col("target_id"))
        .foreign_key(&mut part_of("target_grants", "user_id", "users"))
        .foreign_key(&mut part_of("target_grants", "target_id", "targets"))
        .to_owned()
}

fn login_sessions() -> TableCreateStatement {
    Table::create()
        .table("login_sessions")
        .col(hash("cookie_hash").not_null().primary_key())
        .col(id("user_id").not_null())
        .col(time("created_at").not_null())
        .col(time("last_seen_at").not_null())
        .col(time("expires_at").not_null())
        .col(number("idle_seconds", 0))
        .col(words("address", 64).not_null())
        .col(hash("device_hash"))
        .col(text("user_agent"))
        .col(number("version", 1))
        .foreign_key(&mut part_of("login_sessions", "user_id", "users"))
        .to_owned()
}

fn refresh_tokens() -> TableCreateStatement {
    Table::create()
        .table("refresh_tokens")
        .col(hash("token_hash").not_null().primary_key())
        .col(id("family").not_null())
        .col(id("user_id").not_null())
        .col(time("issued_at").not_null())
        .col(time("expires_at").not_null())
        .col(time("used_at"))
        .col(ColumnDef::new("successor_sealed").blob())
        .col(number("version", 1))
        .foreign_key(&mut part_of("refresh_tokens", "user_id", "users"))
        .to_owned()
}

fn api_tokens() -> TableCreateStatement {
    Table::create()
        .table("api_tokens")
        .col(id("id").not_null().primary_key())
        .col(id("user_id").not_null())
        .col(words("name", 255).not_null())
        .col(hash("token_hash").not_null().unique_key())
        .col(text("scopes").not_null())
        .col(time("created_at").not_null())
        .col(time("expires_at"))
        .col(time("last_used_at"))
        .col(time("revoked_at"))
        .foreign_key(&mut part_of("api_tokens", "user_id", "users"))
        .to_owned()
}

fn known_devices() -> TableCreateStatement {
    Table::create()
        .table("known_devices")
        .col(id("user_id").not_null())
        .col(hash("device_hash").not_null())
        .col(time("last_seen_at").not_null())
        .primary_key(Index::create().col("user_id").col("device_hash"))
        .foreign_key(&mut part_of("known_devices", "user_id", "users"))
        .to_owned()
}

/// The chain. No column refers to another table: what an entry is about may be removed, the entry stays.
fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(ColumnDef::new("seq").big_integer().not_null().primary_key())
        .col(time("at").not_null())
        .col(words("action", 50).not_null())
        .col(id("subject_id"))
        .col(words("object", 100))
        .col(words("code", 100))
        .col(text("detail").not_null())
        .col(hash("prev_hash").not_null())
        .col(hash("hash").not_null())
        .to_owned()
}

/// One row: where the chain ends. Whoever appends holds its lock.
fn audit_state() -> TableCreateStatement {
    Table::create()
        .table("audit_state")
        .col(ColumnDef::new("id").integer().not_null().primary_key())
        .col(ColumnDef::new("last_seq").big_integer().not_null())
        .col(hash("last_hash").not_null())
        .to_owned()
}

fn audit_heads() -> TableCreateStatement {
    Table::create()
        .table("audit_heads")
        .col(ColumnDef::new("seq").big_integer().not_null().primary_key())
        .col(time("at").not_null())
        .col(hash("hash").not_null())
        .col(ColumnDef::new("signature").blob().not_null())
        .col(time("delivered_at"))
        .to_owned()
}

/// Names and addresses that entries hold commitments to; these rows can be erased.
fn audit_people() -> TableCreateStatement {
    Table::create()
        .table("audit_people")
        .col(ColumnDef::new("seq").big_integer().not_null())
        .col(words("kind", 20).not_null())
        .col(id("subject_id"))
        .col(ColumnDef::new("salt").binary_len(16).not_null())
        .col(text("value").not_null())
        .primary_key(Index::create().col("seq").col("kind"))
        .to_owned()
}

/// As it was before this step.
fn admin_sessions() -> TableCreateStatement {
    Table::create()
        .table("admin_sessions")
        .col(hash("cookie_hash").not_null().primary_key())
        .col(time("created_at").not_null())
        .col(time("expires_at").not_null())
        .col(words("address", 64).not_null())
        .to_owned()
}

/// The person of a ticket or session has no foreign key: the record of who was where outlives the person's entry.
fn additions() -> Vec<(&'static str, Vec<ColumnDef>)> {
    vec![
        (
            "targets",
            vec![
                words("kind", 20).not_null().default("vnc").to_owned(),
                text("tags").not_null().default("[]").to_owned(),
                text("description").not_null().default("").to_owned(),
                flag("thumbnails"),
                number("version", 1),
            ],
        ),
        ("tickets", vec![id("user_id"), id("subject_id")]),
        (
            "vnc_sessions",
            vec![
                id("user_id"),
                id("subject_id"),
                number("extensions", 0),
                text("port_mapping"),
                flag("frozen"),
                id("ended_by"),
            ],
        ),
    ]
}

/// How the address of the test card was written when this step was.
const TEST_CARD: &str = "\"test_card\"";

/// Indexes of the first step that have the same names and more columns now, so that a page of sessions is read in
/// its order and not sorted.
const REPLACED: [&str; 3] =
    ["idx_vnc_sessions_status", "idx_vnc_sessions_risk_score", "idx_vnc_sessions_start_time"];

/// Indexes on tables that stay when this step is undone.
const NEW_ON_OLD_TABLES: [(&str, &str); 6] = [
    ("idx_vnc_sessions_start_time", "vnc_sessions"),
    ("idx_vnc_sessions_status", "vnc_sessions"),
    ("idx_vnc_sessions_risk_score", "vnc_sessions"),
    ("idx_vnc_sessions_user", "vnc_sessions"),
    ("idx_vnc_sessions_subject", "vnc_sessions"),
    ("idx_tickets_user", "tickets"),
];

fn replaced_indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("idx_vnc_sessions_status", "vnc_sessions", &["status"]),
        Index::create()
            .name("idx_vnc_sessions_risk_score")
            .table("vnc_sessions")
            .col(("risk_score", IndexOrder::Desc))
            .to_owned(),
        Index::create()
            .name("idx_vnc_sessions_start_time")
            .table("vnc_sessions")
            .col(("start_time", IndexOrder::Desc))
            .col(("id", IndexOrder::Desc))
            .to_owned(),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        // The score lets a list of the newest risky sessions skip the others without reading them.
        index("idx_vnc_sessions_start_time", "vnc_sessions", &["start_time", "id", "risk_score"]),
        index("idx_vnc_sessions_status", "vnc_sessions", &["status", "start_time", "id"]),
        index("idx_vnc_sessions_risk_score", "vnc_sessions", &["risk_score", "start_time", "id"]),
        index("idx_vnc_sessions_user", "vnc_sessions", &["user_id", "start_time", "id"]),
        index("idx_vnc_sessions_subject", "vnc_sessions", &["subject_id"]),
        index("idx_tickets_user", "tickets", &["user_id", "target_id"]),
        index("idx_group_members_user", "group_members", &["user_id"]),
        index("idx_group_targets_target", "group_targets", &["target_id"]),
        index("idx_target_grants_target", "target_grants", &["target_id"]),
        index("idx_login_sessions_user", "login_sessions", &["user_id"]),
        index("idx_login_sessions_expires_at", "login_sessions", &["expires_at"]),
        index("idx_refresh_tokens_family", "refresh_tokens", &["family"]),
        index("idx_refresh_tokens_user", "refresh_tokens", &["user_id"]),
        index("idx_refresh_tokens_expires_at", "refresh_tokens", &["expires_at"]),
        index("idx_api_tokens_user", "api_tokens", &["user_id"]),
        index("idx_audit_action", "audit", &["action", "seq"]),
        index("idx_audit_subject", "audit", &["subject_id", "seq"]),
        index("idx_audit_object", "audit", &["object", "seq"]),
        index("idx_audit_people_subject", "audit_people", &["subject_id"]),
    ]
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}
