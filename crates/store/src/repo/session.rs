//! Sessions: started, changed, ended. Ended rows stay, for they are the record of who was where.
//!
//! The columns that monitoring expects are filled from the gateway's counters: `packets_received` counts the
//! viewer's messages, `packets_sent` the target's, `data_transferred` is both directions in megabytes.

use crate::entity::vnc_session::{ActiveModel, Column, Entity, Model};
use crate::value::{
    end_reason_from, from_column, from_json, ingress_column, ingress_from, moment, to_column, to_json,
};
use crate::{Cursor, Page, PageRequest, Store, StoreError, TokenHash};
use chrono::{DateTime, Utc};
use model::session::{Counters, EndReason, Ingress};
use model::{BootId, Coded, NodeId, Policy, SessionId, TargetId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, UpdateMany,
};
use std::net::{IpAddr, SocketAddr};

/// A session's state as outsiders see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SessionStatus {
    /// Under way.
    Active,
    /// Over.
    Terminated,
    /// Over because a rule forbade it.
    Blocked,
}

impl SessionStatus {
    /// The word in the database and in the API.
    pub fn column(self) -> &'static str {
        match self {
            SessionStatus::Active => "active",
            SessionStatus::Terminated => "terminated",
            SessionStatus::Blocked => "blocked",
        }
    }

    fn from_column(text: &str) -> Option<Self> {
        [SessionStatus::Active, SessionStatus::Terminated, SessionStatus::Blocked]
            .into_iter()
            .find(|status| status.column() == text)
    }
}

/// A session that starts.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Fresh, or the one that the ticket was taken with.
    pub id: SessionId,
    /// Where it leads.
    pub target: TargetId,
    /// The target's name now, for when it is renamed or removed.
    pub target_name: String,
    /// Who, for the journal.
    pub subject: String,
    /// `vnc` or, later, `spice` and `text`.
    pub protocol: &'static str,
    /// Which way the viewer came in.
    pub ingress: Ingress,
    /// Where the viewer is.
    pub viewer: SocketAddr,
    /// Where the target is, once known; none for Unix sockets and the test card.
    pub server: Option<SocketAddr>,
    /// How the viewer proved itself: `ticket`, later `password` and others.
    pub auth_method: Option<String>,
    /// What the viewer says it is.
    pub user_agent: Option<String>,
    /// The session's rules.
    pub policy: Policy,
    /// Of the ticket's token, where one was taken.
    pub token_hash: Option<TokenHash>,
    /// When it must be over, whatever happens.
    pub expires_at: Option<DateTime<Utc>>,
    /// This installation.
    pub node: NodeId,
    /// This run.
    pub boot: BootId,
    /// Now.
    pub started_at: DateTime<Utc>,
}

/// What changed about a running session; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct SessionChange {
    /// The target's address became known.
    pub server: Option<SocketAddr>,
    /// The session has new rules.
    pub policy: Option<Policy>,
    /// What it has moved so far.
    pub counters: Option<Counters>,
    /// It must be over earlier or later, or need not be.
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// A session that ended.
#[derive(Clone, Debug)]
pub struct SessionEnd {
    /// Which.
    pub id: SessionId,
    /// Which of its connections: 0 for the first, [`crate::Resumed::attachment`] for later ones.
    pub attachment: u32,
    /// Why.
    pub reason: EndReason,
    /// The stable code of the fault behind the reason, where there is one.
    pub code: Option<String>,
    /// Whether a rule forbade it (status `blocked` and not `terminated`).
    pub blocked: bool,
    /// What it moved, over all its connections.
    pub counters: Counters,
    /// Now.
    pub ended_at: DateTime<Utc>,
}

/// A session as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Where it leads; none when the target was removed since.
    pub target: Option<TargetId>,
    /// The target's name when the session started.
    pub target_name: String,
    /// Who.
    pub subject: String,
    /// `vnc`, ...
    pub protocol: String,
    /// Which way the viewer came in.
    pub ingress: Ingress,
    /// The viewer's address.
    pub client_ip: IpAddr,
    /// The viewer's port.
    pub client_port: u16,
    /// The target's address.
    pub server_ip: Option<IpAddr>,
    /// The target's port.
    pub server_port: Option<u16>,
    /// When it started.
    pub start_time: DateTime<Utc>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// Its state.
    pub status: SessionStatus,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// The code of the fault behind the reason.
    pub end_code: Option<String>,
    /// How the viewer proved itself.
    pub auth_method: Option<String>,
    /// What the viewer said it is.
    pub user_agent: Option<String>,
    /// Its rules.
    pub policy: Policy,
    /// When it must be over.
    pub expires_at: Option<DateTime<Utc>>,
    /// On which installation it runs or ran last.
    pub node: NodeId,
    /// In which run.
    pub boot: BootId,
    /// Which of its connections is the latest.
    pub attachment: u32,
    /// Megabytes in both directions.
    pub data_transferred: f64,
    /// Pictures taken of it.
    pub screenshots_count: u64,
    /// 0 to 100.
    pub risk_score: f64,
    /// 0 to 100.
    pub anomaly_score: f64,
    /// What it moved.
    pub counters: Counters,
}

/// Which sessions to list.
#[derive(Clone, Default, Debug)]
pub struct SessionFilter {
    /// In this state.
    pub status: Option<SessionStatus>,
    /// To this target.
    pub target: Option<TargetId>,
    /// Of this person.
    pub subject: Option<String>,
    /// On this installation.
    pub node: Option<NodeId>,
}

impl SessionFilter {
    fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.status.map(|status| Column::Status.eq(status.column())))
            .add_option(self.target.map(|target| Column::TargetId.eq(target.0)))
            .add_option(self.subject.as_ref().map(|subject| Column::Subject.eq(subject.as_str())))
            .add_option(self.node.map(|node| Column::NodeId.eq(node.0)))
    }
}

/// Sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Store,
}

impl Sessions {
    pub(crate) fn new(store: Store) -> Self {
        Sessions { store }
    }

    /// Records a session that starts. A target that does not exist is a `store.conflict`.
    ///
    /// # Errors
    /// The database's.
    pub async fn start(&self, new: NewSession) -> Result<(), StoreError> {
        let row = new_row(new)?;
        self.store
            .write(move |tx| {
                let row = ActiveModel::from(row.clone()).reset_all();
                Box::pin(async move { Entity::insert(row).exec_without_returning(tx).await.map(|_| ()) })
            })
            .await
    }

    /// Records what changed about a running session. Answers whether it is running.
    ///
    /// # Errors
    /// The database's.
    pub async fn change(
        &self,
        id: SessionId,
        change: SessionChange,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut update = running(id).col_expr(Column::UpdatedAt, Expr::value(moment(now)));
        if let Some(server) = change.server {
            update = update
                .col_expr(Column::ServerIp, Expr::value(server.ip().to_canonical().to_string()))
                .col_expr(Column::ServerPort, Expr::value(i32::from(server.port())));
        }
        if let Some(policy) = &change.policy {
            update = update.col_expr(Column::Policy, Expr::value(to_json(policy)?));
        }
        if let Some(expires_at) = change.expires_at {
            update = update.col_expr(Column::ExpiresAt, Expr::value(expires_at.map(moment)));
        }
        if let Some(counters) = &change.counters {
            update = with_counters(update, counters);
        }
        self.changed(update).await
    }

    /// Records what many running sessions have moved, in one commit.
    ///
    /// # Errors
    /// The database's; then none of them is recorded.
    pub async fn record_counters(
        &self,
        all: &[(SessionId, Counters)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let updates: Vec<_> = all
            .iter()
            .map(|(id, counters)| {
                with_counters(running(*id), counters).col_expr(Column::UpdatedAt, Expr::value(moment(now)))
            })
            .collect();
        self.store
            .write(move |tx| {
                let updates = updates.clone();
                Box::pin(async move {
                    for update in updates {
                        update.exec(tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Records the end of a session. Answers whether this connection was the running one: a second end, or the
    /// late end of a connection that another one replaced, changes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(&self, end: SessionEnd) -> Result<bool, StoreError> {
        let status = if end.blocked { SessionStatus::Blocked } else { SessionStatus::Terminated };
        let ended_at = moment(end.ended_at);
        let update = with_counters(running(end.id), &end.counters)
            .filter(Column::Attachment.eq(i64::from(end.attachment)))
            .col_expr(Column::Status, Expr::value(status.column()))
            .col_expr(Column::EndTime, Expr::value(ended_at))
            .col_expr(Column::EndReason, Expr::value(end.reason.code()))
            .col_expr(Column::EndCode, Expr::value(end.code))
            .col_expr(Column::UpdatedAt, Expr::value(ended_at));
        self.changed(update).await
    }

    /// The session of this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let row = self.store.read(|db| Box::pin(Entity::find_by_id(id.0).one(db))).await?;
        row.map(record).transpose()
    }

    /// One page of sessions, the latest start first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(
        &self,
        filter: &SessionFilter,
        page: &PageRequest,
    ) -> Result<Page<SessionRecord>, StoreError> {
        let rows = page.rows();
        let query = Entity::find()
            .filter(filter.condition())
            .filter(Condition::all().add_option(page.after.map(after)))
            .order_by_desc(Column::StartTime)
            .order_by_desc(Column::Id)
            .offset(page.offset)
            // One more than shown tells whether there is a next page.
            .limit(u64::from(rows) + 1);
        let found = self.store.read(|db| Box::pin(query.all(db))).await?;
        let mut items: Vec<SessionRecord> = found.into_iter().map(record).collect::<Result<_, _>>()?;
        let shown = usize::try_from(rows).unwrap_or(usize::MAX);
        let more = items.len() > shown;
        items.truncate(shown);
        let next = items.last().filter(|_| more).map(|s| Cursor { moment: s.start_time, id: s.id.0 });
        Ok(Page { items, next })
    }

    /// How many sessions a filter has.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self, filter: &SessionFilter) -> Result<u64, StoreError> {
        let query = Entity::find().filter(filter.condition());
        self.store.read(|db| Box::pin(async move { query.count(db).await })).await
    }

    /// How many sessions of a filter stand before the page that a cursor leads to.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_before(&self, filter: &SessionFilter, cursor: Cursor) -> Result<u64, StoreError> {
        let query = Entity::find().filter(filter.condition()).filter(after(cursor).not());
        self.store.read(|db| Box::pin(async move { query.count(db).await })).await
    }

    async fn changed(&self, update: UpdateMany<Entity>) -> Result<bool, StoreError> {
        let done = self.store.write(move |tx| Box::pin(update.clone().exec(tx))).await?;
        Ok(done.rows_affected > 0)
    }
}

fn running(id: SessionId) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::Id.eq(id.0))
        .filter(Column::Status.eq(SessionStatus::Active.column()))
}

fn after(cursor: Cursor) -> Condition {
    Condition::any()
        .add(Column::StartTime.lt(cursor.moment))
        .add(Condition::all().add(Column::StartTime.eq(cursor.moment)).add(Column::Id.lt(cursor.id)))
}

fn with_counters(update: UpdateMany<Entity>, counters: &Counters) -> UpdateMany<Entity> {
    let count = |value: u64| Expr::value(to_column(value));
    update
        .col_expr(Column::DataTransferred, Expr::value(megabytes(counters)))
        .col_expr(Column::PacketsReceived, count(counters.viewer_messages))
        .col_expr(Column::PacketsSent, count(counters.target_messages))
        .col_expr(Column::ClipboardOperations, count(counters.clipboards))
        .col_expr(Column::FileOperations, count(counters.files))
        .col_expr(Column::ViewerBytes, count(counters.viewer_bytes))
        .col_expr(Column::TargetBytes, count(counters.target_bytes))
        .col_expr(Column::Rectangles, count(counters.rectangles))
        .col_expr(Column::KeyEvents, count(counters.keys))
        .col_expr(Column::PointerEvents, count(counters.pointers))
        .col_expr(Column::DroppedMessages, count(counters.dropped))
}

#[expect(clippy::as_conversions, reason = "a display figure; 52 bits of it are exact")]
fn megabytes(counters: &Counters) -> f64 {
    let bytes = counters.viewer_bytes.saturating_add(counters.target_bytes);
    bytes as f64 / 1e6
}

fn new_row(new: NewSession) -> Result<Model, StoreError> {
    let started = moment(new.started_at);
    Ok(Model {
        id: new.id.0,
        client_ip: new.viewer.ip().to_canonical().to_string(),
        server_ip: new.server.map(|server| server.ip().to_canonical().to_string()),
        client_port: i32::from(new.viewer.port()),
        server_port: new.server.map(|server| i32::from(server.port())),
        start_time: started,
        end_time: None,
        status: SessionStatus::Active.column().to_owned(),
        data_transferred: 0.0,
        packets_sent: 0,
        packets_received: 0,
        screenshots_count: 0,
        clipboard_operations: 0,
        file_operations: 0,
        risk_score: 0.0,
        anomaly_score: 0.0,
        auth_method: new.auth_method,
        user_agent: new.user_agent,
        created_at: started,
        updated_at: started,
        protocol: new.protocol.to_owned(),
        ingress: ingress_column(new.ingress).to_owned(),
        subject: new.subject,
        target_id: Some(new.target.0),
        target_name: new.target_name,
        policy: to_json(&new.policy)?,
        token_hash: new.token_hash.map(TokenHash::to_column),
        expires_at: new.expires_at.map(moment),
        node_id: new.node.0,
        boot_id: new.boot.0,
        attachment: 0,
        end_reason: None,
        end_code: None,
        viewer_bytes: 0,
        target_bytes: 0,
        rectangles: 0,
        key_events: 0,
        pointer_events: 0,
        dropped_messages: 0,
    })
}

fn record(row: Model) -> Result<SessionRecord, StoreError> {
    let corrupt = |column| StoreError::Corrupt { column };
    let port = |port: i32, column| u16::try_from(port).map_err(|_| corrupt(column));
    Ok(SessionRecord {
        id: SessionId(row.id),
        counters: counters(&row),
        target: row.target_id.map(TargetId),
        target_name: row.target_name,
        subject: row.subject,
        protocol: row.protocol,
        ingress: ingress_from(&row.ingress).ok_or(corrupt("vnc_sessions.ingress"))?,
        client_ip: row.client_ip.parse().map_err(|_| corrupt("vnc_sessions.client_ip"))?,
        client_port: port(row.client_port, "vnc_sessions.client_port")?,
        server_ip: row
            .server_ip
            .map(|ip| ip.parse())
            .transpose()
            .map_err(|_| corrupt("vnc_sessions.server_ip"))?,
        server_port: row.server_port.map(|p| port(p, "vnc_sessions.server_port")).transpose()?,
        start_time: row.start_time,
        end_time: row.end_time,
        updated_at: row.updated_at,
        status: SessionStatus::from_column(&row.status).ok_or(corrupt("vnc_sessions.status"))?,
        // A reason that a newer program wrote is shown as none rather than hiding the row.
        end_reason: row.end_reason.as_deref().and_then(end_reason_from),
        end_code: row.end_code,
        auth_method: row.auth_method,
        user_agent: row.user_agent,
        policy: from_json(&row.policy, "vnc_sessions.policy")?,
        expires_at: row.expires_at,
        node: NodeId(row.node_id),
        boot: BootId(row.boot_id),
        attachment: u32::try_from(row.attachment).map_err(|_| corrupt("vnc_sessions.attachment"))?,
        data_transferred: row.data_transferred,
        screenshots_count: from_column(row.screenshots_count),
        risk_score: row.risk_score,
        anomaly_score: row.anomaly_score,
    })
}

fn counters(row: &Model) -> Counters {
    Counters {
        viewer_bytes: from_column(row.viewer_bytes),
        target_bytes: from_column(row.target_bytes),
        viewer_messages: from_column(row.packets_received),
        target_messages: from_column(row.packets_sent),
        rectangles: from_column(row.rectangles),
        keys: from_column(row.key_events),
        pointers: from_column(row.pointer_events),
        clipboards: from_column(row.clipboard_operations),
        files: from_column(row.file_operations),
        dropped: from_column(row.dropped_messages),
    }
}
