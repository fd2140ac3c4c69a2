//! This installation, its boots, and small named values.
//!
//! The node's id lives in the data directory and not in the database, because several nodes may share one.

use crate::entity::{node, setting, vnc_session};
use crate::transaction::Transaction;
use crate::value::moment;
use crate::{AuditEntry, SessionStatus, Store, StoreError};
use chrono::{DateTime, Utc};
use model::audit::{Action, Object};
use model::session::EndReason;
use model::{BootId, Coded, NodeId, SessionId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::io::Write;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Name of the file in the data directory.
const FILE: &str = "node-id";

/// Why the node's id could not be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The file cannot be read or written.
    #[error("cannot read or write {path}; check the data directory's permissions")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} does not hold a node id; restore it from a backup or remove it")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl Coded for NodeError {
    fn code(&self) -> &'static str {
        match self {
            NodeError::Io { .. } => "node.id_unreadable",
            NodeError::Malformed { .. } => "node.id_malformed",
        }
    }
}

/// The id of the installation whose data directory this is; `fresh` is written at the first run. Of two processes
/// that start at once, both get the one that was written first.
///
/// # Errors
/// [`NodeError`].
pub fn node_id_in(directory: &Path, fresh: NodeId) -> Result<NodeId, NodeError> {
    let path = directory.join(FILE);
    let failed = |source| NodeError::Io { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(text) => return text.trim().parse().map_err(|_| NodeError::Malformed { path }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Written aside and linked in place, so that nobody ever reads half an id and the first one stays.
    let aside = directory.join(format!("{FILE}.{}", fresh.0.simple()));
    let mut file = std::fs::File::create_new(&aside).map_err(failed)?;
    writeln!(file, "{fresh}").and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = std::fs::hard_link(&aside, &path);
    std::fs::remove_file(&aside).map_err(failed)?;
    match linked {
        Ok(()) => Ok(fresh),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => node_id_in(directory, fresh),
        Err(error) => Err(failed(error)),
    }
}

/// This installation and its boots.
#[derive(Clone, Debug)]
pub struct Node {
    store: Store,
}

impl Node {
    pub(crate) fn new(store: Store) -> Self {
        Node { store }
    }

    /// Records that this node runs now, and closes sessions that an earlier run of it left active: they end with
    /// `session.node_lost`, at the moment they were last heard of, which is written down. Answers which ones. Only the
    /// serving process may call it, once.
    ///
    /// # Errors
    /// The database's.
    pub async fn start(
        &self,
        node: NodeId,
        boot: BootId,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let now = moment(now);
        self.store
            .write_audited(now, move |tx| {
                Box::pin(async move {
                    upsert_boot(tx, node, boot, now).await?;
                    let lost = vnc_session::Entity::update_many()
                        .filter(vnc_session::Column::NodeId.eq(node.0))
                        .filter(vnc_session::Column::BootId.ne(boot.0))
                        .filter(vnc_session::Column::Status.eq(SessionStatus::Active.column()))
                        .col_expr(
                            vnc_session::Column::Status,
                            Expr::value(SessionStatus::Terminated.column()),
                        )
                        .col_expr(vnc_session::Column::EndReason, Expr::value(EndReason::NodeLost.code()))
                        .col_expr(vnc_session::Column::EndTime, Expr::col(vnc_session::Column::UpdatedAt))
                        .col_expr(vnc_session::Column::UpdatedAt, Expr::value(now))
                        .exec_with_returning(tx)
                        .await?;
                    let entries = lost.iter().map(lost_session).collect();
                    Ok((lost.into_iter().map(|row| SessionId(row.id)).collect(), entries))
                })
            })
            .await
    }

    /// The latest boot of a node.
    ///
    /// # Errors
    /// The database's.
    pub async fn latest_boot(&self, node: NodeId) -> Result<Option<BootId>, StoreError> {
        let query = node::Entity::find_by_id(node.0).select_only().column(node::Column::BootId);
        let row = self.store.read(|db| Box::pin(query.into_tuple::<Uuid>().one(db))).await?;
        Ok(row.map(BootId))
    }
}

/// What the audit log says of a session that nobody was left to end.
fn lost_session(row: &vnc_session::Model) -> AuditEntry {
    let end = row.end_time.unwrap_or(row.updated_at);
    let entry = AuditEntry::new(Action::SessionEnded)
        .on(Object::Session(SessionId(row.id)))
        .code(EndReason::NodeLost.code())
        .with("duration_s", (end - row.start_time).num_seconds().max(0))
        .with("bytes", row.viewer_bytes.saturating_add(row.target_bytes));
    match row.target_id {
        Some(target) => entry.with("target", target.to_string()),
        None => entry,
    }
}

async fn upsert_boot(
    tx: &Transaction,
    node: NodeId,
    boot: BootId,
    now: DateTime<Utc>,
) -> Result<(), sea_orm::DbErr> {
    let row =
        node::ActiveModel::from(node::Model { id: node.0, boot_id: boot.0, started_at: now }).reset_all();
    let replace = OnConflict::column(node::Column::Id)
        .update_columns([node::Column::BootId, node::Column::StartedAt])
        .to_owned();
    node::Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await.map(|_| ())
}

/// Small named values, for facts that must outlive a run and have no table of their own.
#[derive(Clone, Debug)]
pub struct Settings {
    store: Store,
}

impl Settings {
    pub(crate) fn new(store: Store) -> Self {
        Settings { store }
    }

    /// The value of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, name: &str) -> Result<Option<String>, StoreError> {
        let query = setting::Entity::find_by_id(name);
        Ok(self.store.read(|db| Box::pin(query.one(db))).await?.map(|row| row.value))
    }

    /// Sets the value of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn put(&self, name: &str, value: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let row = setting::Model { name: name.to_owned(), value: value.to_owned(), updated_at: moment(now) };
        self.store
            .write(move |tx| {
                let row = setting::ActiveModel::from(row.clone()).reset_all();
                let replace = OnConflict::column(setting::Column::Name)
                    .update_columns([setting::Column::Value, setting::Column::UpdatedAt])
                    .to_owned();
                Box::pin(async move {
                    setting::Entity::insert(row)
                        .on_conflict(replace)
                        .exec_without_returning(tx)
                        .await
                        .map(|_| ())
                })
            })
            .await
    }
}
