//! Tickets, fresh and taken.

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tickets")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub token_hash: Vec<u8>,
    pub target_id: Uuid,
    pub policy: String,
    pub subject: String,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub taken_at: Option<DateTimeUtc>,
    pub taken_by: Option<String>,
    pub session_id: Option<Uuid>,
    pub resume_hash: Option<Vec<u8>>,
    pub sealed_vnc_password: Option<Vec<u8>>,
    pub user_id: Option<Uuid>,
    pub subject_id: Option<Uuid>,
    pub login: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::silent!(Model);
