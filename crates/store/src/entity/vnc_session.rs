//! Sessions, running and past.

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "vnc_sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_ip: String,
    pub server_ip: Option<String>,
    pub client_port: i32,
    pub server_port: Option<i32>,
    pub start_time: DateTimeUtc,
    pub end_time: Option<DateTimeUtc>,
    pub status: String,
    pub data_transferred: f64,
    pub packets_sent: i64,
    pub packets_received: i64,
    pub screenshots_count: i64,
    pub clipboard_operations: i64,
    pub file_operations: i64,
    pub risk_score: f64,
    pub anomaly_score: f64,
    pub auth_method: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub protocol: String,
    pub ingress: String,
    pub subject: String,
    pub target_id: Option<Uuid>,
    pub target_name: String,
    pub policy: String,
    pub token_hash: Option<Vec<u8>>,
    pub expires_at: Option<DateTimeUtc>,
    pub node_id: Uuid,
    pub boot_id: Uuid,
    pub attachment: i64,
    pub end_reason: Option<String>,
    pub end_code: Option<String>,
    pub viewer_bytes: i64,
    pub target_bytes: i64,
    pub rectangles: i64,
    pub key_events: i64,
    pub pointer_events: i64,
    pub dropped_messages: i64,
    pub user_id: Option<Uuid>,
    pub subject_id: Option<Uuid>,
    pub extensions: i64,
    pub port_mapping: Option<String>,
    pub frozen: bool,
    pub ended_by: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::silent!(Model);
