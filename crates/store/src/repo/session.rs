//! Sessions: started, changed, ended. Ended rows stay, for they are the record of who was where.
//!
//! The columns that monitoring expects are filled from the gateway's counters: `packets_received` counts the
//! viewer's messages, `packets_sent` the target's, `data_transferred` is both directions in megabytes.

use crate::entity::vnc_session::{ActiveModel, Column, Entity, Model};
use crate::entity::{group_member, group_target};
use crate::repo::access::groups_of;
use crate::value::{
    end_reason_from, from_column, from_json, ingress_column, ingress_from, moment, to_column, to_json,
};
use crate::{AuditEntry, Cursor, Owner, Page, PageRequest, Store, StoreError, TokenHash, always, if_so};
use chrono::{DateTime, Utc};
use model::session::{Counters, EndReason, Ingress};
use model::{BootId, Coded, NodeId, Policy, SessionId, SubjectId, TargetId, UserId};
use sea_orm::sea_query::{Asterisk, Expr, JoinType, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, UpdateMany,
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
    /// Whose it is; none where nobody logged in.
    pub owner: Option<Owner>,
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
    /// Which port of ours leads to which of the target's, where one was opened for this session.
    pub port_mapping: Option<String>,
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
    /// The session has new rules; whether it is frozen follows them.
    pub policy: Option<Policy>,
    /// What it has moved so far.
    pub counters: Option<Counters>,
    /// It must be over earlier or later, or need not be.
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Who asked for its end, known before the end itself is.
    pub ended_by: Option<SubjectId>,
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
    /// Who ended it; none for peers, rules and the program, and where [`SessionChange::ended_by`] said it before.
    pub ended_by: Option<SubjectId>,
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
    /// Whose it is; none where nobody logged in, or the person was erased.
    pub user: Option<UserId>,
    /// The same person, also after they were erased.
    pub subject_id: Option<SubjectId>,
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
    /// Whether its input is stopped.
    pub frozen: bool,
    /// When it must be over.
    pub expires_at: Option<DateTime<Utc>>,
    /// How often that was moved.
    pub extensions: u64,
    /// Which port of ours leads to which of the target's.
    pub port_mapping: Option<String>,
    /// Who ended it.
    pub ended_by: Option<SubjectId>,
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

/// In which order to list sessions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum SessionSort {
    /// The latest start first.
    #[default]
    Start,
    /// The highest risk score first, then as [`SessionSort::Start`].
    Risk,
}

/// Which sessions to list.
#[derive(Clone, Default, Debug)]
pub struct SessionFilter {
    /// In this state.
    pub status: Option<SessionStatus>,
    /// To this target.
    pub target: Option<TargetId>,
    /// Of this name.
    pub subject: Option<String>,
    /// Of this person.
    pub user: Option<UserId>,
    /// Of this person, also after they were erased.
    pub subject_id: Option<SubjectId>,
    /// That this person looks after: sessions of the people of a group to the targets of the same group, where they
    /// are its operator; and their own.
    pub operated_by: Option<UserId>,
    /// With at least this risk score.
    pub min_risk: Option<f64>,
    /// On this installation.
    pub node: Option<NodeId>,
    /// In this order. A cursor goes on in the order of the page that it came from.
    pub sort: SessionSort,
}

impl SessionFilter {
    fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.status.map(|status| Column::Status.eq(status.column())))
            .add_option(self.target.map(|target| Column::TargetId.eq(target.0)))
            .add_option(self.subject.as_ref().map(|subject| Column::Subject.eq(subject.as_str())))
            .add_option(self.user.map(|user| Column::UserId.eq(user.0)))
            .add_option(self.subject_id.map(|subject| Column::SubjectId.eq(subject.0)))
            .add_option(self.operated_by.map(looked_after))
            .add_option(self.min_risk.map(|score| Column::RiskScore.gte(score)))
            .add_option(self.node.map(|node| Column::NodeId.eq(node.0)))
    }
}

fn looked_after(operator: UserId) -> Condition {
    let same_group = Query::select()
        .expr(Expr::value(1))
        .from(group_member::Entity)
        .join(
            JoinType::InnerJoin,
            group_target::Entity,
            Expr::col((group_target::Entity, group_target::Column::GroupId))
                .equals((group_member::Entity, group_member::Column::GroupId)),
        )
        .and_where(
            Expr::col((group_member::Entity, group_member::Column::UserId)).equals((Entity, Column::UserId)),
        )
        .and_where(
            Expr::col((group_target::Entity, group_target::Column::TargetId))
                .equals((Entity, Column::TargetId)),
        )
        .and_where(
            Expr::col((group_member::Entity, group_member::Column::GroupId))
                .in_subquery(groups_of(operator, true)),
        )
        .to_owned();
    Condition::any().add(Column::UserId.eq(operator.0)).add(Expr::exists(same_group))
}

/// Sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    store: Store,
    audit: Vec<AuditEntry>,
}

impl Sessions {
    pub(crate) fn new(store: Store) -> Self {
        Sessions { store, audit: Vec::new() }
    }

    /// The same, with an entry that is written down with the next change, in its transaction, if it changes anything.
    #[must_use]
    pub fn audited(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Records a session that starts. A target that does not exist is a `store.conflict`.
    ///
    /// # Errors
    /// The database's.
    pub async fn start(&self, new: NewSession) -> Result<(), StoreError> {
        let row = new_row(new)?;
        let now = row.start_time;
        self.store
            .write_one_with(&self.audit, now, always, move |tx| {
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
            update = update
                .col_expr(Column::Policy, Expr::value(to_json(policy)?))
                .col_expr(Column::Frozen, Expr::value(policy.frozen));
        }
        if let Some(ended_by) = change.ended_by {
            update = update.col_expr(Column::EndedBy, Expr::value(ended_by.0));
        }
        if let Some(expires_at) = change.expires_at {
            update = update.col_expr(Column::ExpiresAt, Expr::value(expires_at.map(moment)));
        }
        if let Some(counters) = &change.counters {
            update = with_counters(update, counters);
        }
        self.changed(update, now).await
    }

    /// Moves the time when a running session must be over, and counts that. Answers whether it is running.
    ///
    /// # Errors
    /// The database's.
    pub async fn extend(
        &self,
        id: SessionId,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let update = running(id)
            .col_expr(Column::ExpiresAt, Expr::value(moment(expires_at)))
            .col_expr(Column::Extensions, Expr::col(Column::Extensions).add(1))
            .col_expr(Column::UpdatedAt, Expr::value(moment(now)));
        self.changed(update, now).await
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
        let ended_by = end.ended_by;
        let mut update = with_counters(running(end.id), &end.counters)
            .filter(Column::Attachment.eq(i64::from(end.attachment)))
            .col_expr(Column::Status, Expr::value(status.column()))
            .col_expr(Column::EndTime, Expr::value(ended_at))
            .col_expr(Column::EndReason, Expr::value(end.reason.code()))
            .col_expr(Column::EndCode, Expr::value(end.code))
            .col_expr(Column::UpdatedAt, Expr::value(ended_at));
        if let Some(ended_by) = ended_by {
            update = update.col_expr(Column::EndedBy, Expr::value(ended_by.0));
        }
        self.changed(update, ended_at).await
    }

    /// The session of this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let row = self.store.read(|db| Box::pin(Entity::find_by_id(id.0).one(db))).await?;
        row.map(record).transpose()
    }

    /// The running sessions of a person to a target: one, unless an earlier one is just ending.
    ///
    /// # Errors
    /// The database's.
    pub async fn live_of(&self, user: UserId, target: TargetId) -> Result<Vec<SessionRecord>, StoreError> {
        let query = Entity::find()
            .filter(Column::UserId.eq(user.0))
            .filter(Column::TargetId.eq(target.0))
            .filter(Column::Status.eq(SessionStatus::Active.column()))
            .order_by_desc(Column::StartTime);
        self.store.read(|db| Box::pin(query.all(db))).await?.into_iter().map(record).collect()
    }

    /// One page of sessions, in the filter's order.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(
        &self,
        filter: &SessionFilter,
        page: &PageRequest,
    ) -> Result<Page<SessionRecord>, StoreError> {
        let (query, sort) = page_query(filter, page);
        let found = self.store.read(|db| Box::pin(query.all(db))).await?;
        let mut items: Vec<SessionRecord> = found.into_iter().map(record).collect::<Result<_, _>>()?;
        let shown = usize::try_from(page.rows()).unwrap_or(usize::MAX);
        let more = items.len() > shown;
        items.truncate(shown);
        let next = items.last().filter(|_| more).map(|last| Cursor {
            moment: last.start_time,
            id: last.id.0,
            score: (sort == SessionSort::Risk).then(|| last.risk_score.to_bits()),
        });
        Ok(Page { items, next })
    }

    /// How many sessions a filter has.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self, filter: &SessionFilter) -> Result<u64, StoreError> {
        self.counted(count_query(filter.condition())).await
    }

    /// How many sessions of a filter stand before the page that a cursor leads to.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_before(&self, filter: &SessionFilter, cursor: Cursor) -> Result<u64, StoreError> {
        self.counted(count_query(filter.condition().add(after(cursor).not()))).await
    }

    async fn counted(&self, query: Select<Entity>) -> Result<u64, StoreError> {
        let count = self.store.read(|db| Box::pin(query.into_tuple::<i64>().one(db))).await?;
        Ok(from_column(count.unwrap_or(0)))
    }

    async fn changed(&self, update: UpdateMany<Entity>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.store
            .write_one_with(&self.audit, now, if_so, move |tx| {
                let update = update.clone();
                Box::pin(async move { Ok(update.exec(tx).await?.rows_affected > 0) })
            })
            .await
    }
}

fn running(id: SessionId) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::Id.eq(id.0))
        .filter(Column::Status.eq(SessionStatus::Active.column()))
}

/// The rows of a page, and one more, which tells whether there is a next page.
fn page_query(filter: &SessionFilter, page: &PageRequest) -> (Select<Entity>, SessionSort) {
    let sort = match page.after {
        None => filter.sort,
        Some(Cursor { score: None, .. }) => SessionSort::Start,
        Some(Cursor { score: Some(_), .. }) => SessionSort::Risk,
    };
    let mut query =
        Entity::find().filter(filter.condition()).filter(Condition::all().add_option(page.after.map(after)));
    if sort == SessionSort::Risk {
        query = query.order_by_desc(Column::RiskScore);
    }
    let query = query
        .order_by_desc(Column::StartTime)
        .order_by_desc(Column::Id)
        .offset(page.offset)
        .limit(u64::from(page.rows()) + 1);
    (query, sort)
}

fn count_query(condition: Condition) -> Select<Entity> {
    Entity::find().select_only().column_as(Expr::col(Asterisk).count(), "count").filter(condition)
}

/// Compared as a row, which both databases look up in an index of the same columns.
fn after(cursor: Cursor) -> SimpleExpr {
    let mut columns = vec![Expr::col(Column::StartTime), Expr::col(Column::Id)];
    let mut values = vec![Expr::value(cursor.moment), Expr::value(cursor.id)];
    if let Some(score) = cursor.score() {
        columns.insert(0, Expr::col(Column::RiskScore));
        values.insert(0, Expr::value(score));
    }
    Expr::tuple(columns).lt(Expr::tuple(values))
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
        user_id: new.owner.map(|owner| owner.user.0),
        subject_id: new.owner.map(|owner| owner.subject.0),
        extensions: 0,
        port_mapping: new.port_mapping,
        frozen: new.policy.frozen,
        ended_by: None,
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
        user: row.user_id.map(UserId),
        subject_id: row.subject_id.map(SubjectId),
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
        frozen: row.frozen,
        expires_at: row.expires_at,
        extensions: from_column(row.extensions),
        port_mapping: row.port_mapping,
        ended_by: row.ended_by.map(SubjectId),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseUrl, Options};
    use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};
    use std::time::Duration;
    use uuid::Uuid;

    /// Long enough for a busy machine to make a hundred thousand rows.
    fn patient() -> Options {
        Options { wait: Duration::from_secs(120), ..Options::default() }
    }

    /// A hundred thousand sessions of a hundred people: one in a thousand runs, one in a hundred is risky.
    const FILL: &str = "INSERT INTO vnc_sessions (id, client_ip, client_port, start_time, end_time, status,
        created_at, updated_at, protocol, ingress, subject, target_name, policy, node_id, boot_id, user_id, risk_score)
        SELECT {id}, '192.0.2.7', 40000, {time}, {time}, CASE WHEN n % 1000 = 0 THEN 'active' ELSE 'terminated' END,
        {time}, {time}, 'vnc', 'websocket', 'ann', 'desk', '{}', {nobody}, {nobody}, {user},
        CASE WHEN n % 100 = 0 THEN 70 + n % 30 ELSE n % 50 END FROM {numbers}";

    async fn filled(url: &DatabaseUrl) -> Store {
        let store = Store::open(url, patient()).await.unwrap();
        let sqlite = [
            ("{id}", "randomblob(16)"),
            ("{time}", "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1700000000 + n, 'unixepoch')"),
            ("{nobody}", "zeroblob(16)"),
            ("{user}", "unhex(printf('%032x', n % 100))"),
            (
                "{numbers}",
                "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT n FROM c)",
            ),
        ];
        let postgres = [
            ("{id}", "gen_random_uuid()"),
            ("{time}", "to_timestamp(1700000000 + n)"),
            ("{nobody}", "'00000000-0000-0000-0000-000000000000'::uuid"),
            ("{user}", "lpad(to_hex(n % 100), 32, '0')::uuid"),
            ("{numbers}", "generate_series(1, 100000) AS n"),
        ];
        let words = if store.dialect() == "sqlite" { sqlite } else { postgres };
        let fill = words.into_iter().fold(FILL.to_owned(), |sql, (from, to)| sql.replace(from, to));
        // PostgreSQL counts its rows by itself, some time later; nobody does that for SQLite.
        let count = (store.dialect() != "sqlite").then(|| "ANALYZE vnc_sessions".to_owned());
        for sql in [Some(fill), count].into_iter().flatten() {
            store
                .write(move |tx| {
                    let sql = sql.clone();
                    Box::pin(async move { tx.execute_unprepared(&sql).await.map(|_| ()) })
                })
                .await
                .unwrap();
        }
        store
    }

    /// How the database goes about a query, in its own words.
    async fn plan(store: &Store, query: Select<Entity>) -> String {
        let rows = store
            .read(|db| {
                let backend = db.get_database_backend();
                let (explain, column) = match backend {
                    DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
                    _ => ("EXPLAIN", 0),
                };
                let sql = format!("{explain} {}", query.build(backend));
                Box::pin(async move {
                    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
                    rows.iter()
                        .map(|row| row.try_get_by_index::<String>(column))
                        .collect::<Result<Vec<_>, _>>()
                })
            })
            .await
            .unwrap();
        rows.join("\n")
    }

    /// The lists that pages show are read from an index in their order: nothing is sorted whole, and no page costs the
    /// reading of the table.
    async fn lists_use_their_indexes(url: DatabaseUrl) {
        let store = filled(&url).await;
        let all = SessionFilter::default;
        let by_risk = || SessionFilter { sort: SessionSort::Risk, ..all() };
        let user = Some(UserId(Uuid::from_u128(7)));
        let middle = |score: Option<f64>| PageRequest {
            after: Some(Cursor {
                moment: DateTime::from_timestamp_micros(1_700_050_000_000_000).unwrap(),
                id: Uuid::from_u128(1 << 127),
                score: score.map(f64::to_bits),
            }),
            ..PageRequest::default()
        };
        let terminated = Some(SessionStatus::Terminated);
        let active = Some(SessionStatus::Active);
        let cases = [
            (all(), PageRequest::default(), "idx_vnc_sessions_start_time"),
            (all(), middle(None), "idx_vnc_sessions_start_time"),
            (by_risk(), PageRequest::default(), "idx_vnc_sessions_risk_score"),
            (by_risk(), middle(Some(20.0)), "idx_vnc_sessions_risk_score"),
            (
                SessionFilter { min_risk: Some(70.0), ..by_risk() },
                PageRequest::default(),
                "idx_vnc_sessions_risk_score",
            ),
            (SessionFilter { status: terminated, ..all() }, PageRequest::default(), "idx_vnc_sessions_"),
            (SessionFilter { status: active, ..all() }, PageRequest::default(), "idx_vnc_sessions_status"),
            (SessionFilter { user, ..all() }, PageRequest::default(), "idx_vnc_sessions_user"),
            (SessionFilter { user, ..all() }, middle(None), "idx_vnc_sessions_user"),
        ];
        for (filter, page, index) in cases {
            let (query, _) = page_query(&filter, &page);
            let plan = plan(&store, query).await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
            for waste in ["TEMP B-TREE", "Sort ", "Seq Scan", "SCAN vnc_sessions\n"] {
                assert!(!plan.contains(waste), "{filter:?}: {plan}");
            }
        }
        // Few are risky: they are looked up, and only they are sorted.
        let risky = SessionFilter { min_risk: Some(98.0), ..all() };
        let plan = plan(&store, page_query(&risky, &PageRequest::default()).0).await;
        assert!(plan.contains("idx_vnc_sessions_") && !plan.contains("Seq Scan"), "{plan}");
        let total = store.sessions().count(&all()).await.unwrap();
        assert_eq!(total, 100_000);
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite_reads_lists_from_indexes() {
        let directory = tempfile::tempdir().unwrap();
        lists_use_their_indexes(DatabaseUrl::file(directory.path().join("g.db"))).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgresql_reads_lists_from_indexes() {
        let server = testkit::pg::Server::obtain().unwrap();
        let database = server.database(None).unwrap();
        lists_use_their_indexes(database.url().parse().unwrap()).await;
    }
}
