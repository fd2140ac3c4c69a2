//! The audit log: appended to by the writer in the transaction of what is written down, read, verified, and rid of
//! names and addresses.
//!
//! INVARIANT: one row, `audit_state`, knows where the chain ends, and whoever appends holds its lock until the
//! commit. So the chain has one order, whichever node or process wrote an entry.

use crate::entity::{audit, audit_head, audit_person, audit_state};
use crate::error::Fault as DbFault;
use crate::transaction::Transaction;
use crate::value::{clip, hex, moment};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use model::audit::{Action, Break, Entry, Fault, Hash, Link, Object, Personal, Position, Report, Verifier};
use model::{SubjectId, audit as chain};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Statement,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The key of an entry's detail under which its commitments are.
const COMMITTED: &str = "committed";
/// The only row of `audit_state`.
const STATE: i32 = 1;
/// Rows of one INSERT; SQLite takes 32,766 values.
const BATCH: usize = 500;
/// Rows of one read while the chain is verified.
const STRIDE: u64 = 1000;
/// The longest name or address that is kept, in bytes; what strangers send may be longer.
const MAX_VALUE: usize = 512;
/// The longest code, in bytes.
const MAX_CODE: usize = 100;

/// Something to be written down. Made at the place that knows why; dated and numbered when it is committed.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    action: Action,
    subject: Option<SubjectId>,
    object: Option<Object>,
    code: Option<String>,
    detail: Map<String, Value>,
    people: Vec<PersonalValue>,
}

/// A value that can be erased. The entry carries its salted hash only.
#[derive(Clone, PartialEq)]
struct PersonalValue {
    kind: Personal,
    of: Option<SubjectId>,
    salt: [u8; 16],
    value: String,
}

impl std::fmt::Debug for PersonalValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonalValue({})", self.kind.column())
    }
}

impl AuditEntry {
    /// An entry of the program itself, about nothing yet.
    pub fn new(action: Action) -> Self {
        AuditEntry { action, subject: None, object: None, code: None, detail: Map::new(), people: Vec::new() }
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, subject: SubjectId) -> Self {
        self.subject = Some(subject);
        self
    }

    /// What it was done to.
    #[must_use]
    pub fn on(mut self, object: Object) -> Self {
        self.object = Some(object);
        self
    }

    /// Why it was refused, or how it ended.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(clip(code, MAX_CODE));
        self
    }

    /// Something else worth knowing. Never a name or address of a person: those go to [`AuditEntry::person`].
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// A name or address of whoever did it; kept beside the log, where it can be erased. One of each kind.
    #[must_use]
    pub fn person(self, kind: Personal, value: &str) -> Self {
        let of = self.subject;
        self.person_of(of, kind, value)
    }

    /// A name or address of somebody else than who did it; none for strangers.
    #[must_use]
    pub fn person_of(mut self, of: Option<SubjectId>, kind: Personal, value: &str) -> Self {
        self.people.retain(|known| known.kind != kind);
        // The salt keeps values from being guessed, for there are not many names and addresses.
        let salt = Uuid::new_v4().into_bytes();
        self.people.push(PersonalValue { kind, of, salt, value: clip(value, MAX_VALUE) });
        self
    }

    /// Fills in who did it, where only the database knew.
    pub(crate) fn known_to_be(mut self, subject: SubjectId) -> Self {
        self.subject = Some(subject);
        self.belonging_to(subject)
    }

    /// Whose to erase the names and addresses are, where only the database knew.
    pub(crate) fn belonging_to(mut self, subject: SubjectId) -> Self {
        for person in &mut self.people {
            person.of = Some(subject);
        }
        self
    }

    /// Leaves out names and addresses of this person.
    pub(crate) fn without(mut self, subject: SubjectId) -> Self {
        self.people.retain(|person| person.of != Some(subject));
        self
    }

    /// The detail as it is stored, commitments included.
    fn detail(&self) -> Value {
        let mut detail = self.detail.clone();
        detail.remove(COMMITTED);
        if !self.people.is_empty() {
            let committed = self.people.iter().map(|person| {
                let kind = person.kind.column();
                let hash = chain::commitment(kind, &person.salt, &person.value);
                (kind.to_owned(), Value::from(hex(&hash)))
            });
            detail.insert(COMMITTED.to_owned(), Value::Object(committed.collect()));
        }
        Value::Object(detail)
    }
}

/// An entry with its time.
pub(crate) struct Dated {
    pub(crate) at: DateTime<Utc>,
    pub(crate) entry: AuditEntry,
}

/// Where the chain ends. From here to the end of the transaction nobody else appends.
pub(crate) async fn lock(tx: &Transaction) -> Result<Position, DbErr> {
    let state = audit_state::Entity::find_by_id(STATE).lock_exclusive().one(tx).await?;
    let state = state.ok_or_else(|| DbErr::RecordNotFound("audit_state".to_owned()))?;
    position(&state).ok_or_else(|| DbErr::Type("audit_state.last_hash".to_owned()))
}

/// What appends entries behind the end that [`lock`] gave.
pub(crate) fn append(backend: DbBackend, mut end: Position, entries: Vec<Dated>) -> Vec<Statement> {
    if entries.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::with_capacity(entries.len());
    let mut people = Vec::new();
    for Dated { at, entry } in entries {
        let link = link_behind(end, at, &entry);
        end = Position { seq: link.entry.seq, hash: link.hash };
        let seq = column(end.seq);
        people.extend(entry.people.into_iter().map(|person| person_row(seq, person)));
        rows.push(row(link, at));
    }
    let mut statements = Vec::new();
    while !rows.is_empty() {
        let batch = rows.drain(..rows.len().min(BATCH));
        statements.push(audit::Entity::insert_many(batch).build(backend));
    }
    while !people.is_empty() {
        let batch = people.drain(..people.len().min(BATCH));
        // Where entries were cut off, what was known beside them may still be there.
        let replace = OnConflict::columns([audit_person::Column::Seq, audit_person::Column::Kind])
            .update_columns([
                audit_person::Column::SubjectId,
                audit_person::Column::Salt,
                audit_person::Column::Value,
            ])
            .to_owned();
        statements.push(audit_person::Entity::insert_many(batch).on_conflict(replace).build(backend));
    }
    let state = audit_state::Entity::update_many()
        .filter(audit_state::Column::Id.eq(STATE))
        .col_expr(audit_state::Column::LastSeq, Expr::value(column(end.seq)))
        .col_expr(audit_state::Column::LastHash, Expr::value(end.hash.to_vec()));
    statements.push(state.build(backend));
    statements
}

/// Entries behind the end that the writer remembers: somebody tampered with the log, which is no conflict of the
/// change at hand. Nothing is written down over them; `gatehouse audit verify` says where.
pub(crate) fn taken(error: DbErr) -> DbErr {
    match DbFault::of(&error) {
        DbFault::Conflict => DbErr::Custom(format!("the audit log goes on behind its end: {error}")),
        _ => error,
    }
}

fn link_behind(end: Position, at: DateTime<Utc>, entry: &AuditEntry) -> Link {
    let entry = Entry {
        seq: end.seq.saturating_add(1),
        at: at.timestamp_micros(),
        action: entry.action.column().to_owned(),
        subject: entry.subject,
        object: entry.object.map(|object| object.to_string()),
        code: entry.code.clone(),
        detail: entry.detail().to_string(),
    };
    let hash = chain::link(&end.hash, &entry);
    Link { entry, prev_hash: end.hash, hash }
}

fn row(link: Link, at: DateTime<Utc>) -> audit::ActiveModel {
    let row = audit::Model {
        seq: column(link.entry.seq),
        at,
        action: link.entry.action,
        subject_id: link.entry.subject.map(|subject| subject.0),
        object: link.entry.object,
        code: link.entry.code,
        detail: link.entry.detail,
        prev_hash: link.prev_hash.to_vec(),
        hash: link.hash.to_vec(),
    };
    audit::ActiveModel::from(row).reset_all()
}

fn person_row(seq: i64, person: PersonalValue) -> audit_person::ActiveModel {
    let row = audit_person::Model {
        seq,
        kind: person.kind.column().to_owned(),
        subject_id: person.of.map(|subject| subject.0),
        salt: person.salt.to_vec(),
        value: person.value,
    };
    audit_person::ActiveModel::from(row).reset_all()
}

/// Removes what is known beside the chain about a person.
pub(crate) async fn forget_person(tx: &Transaction, subject: SubjectId) -> Result<u64, DbErr> {
    let forget = audit_person::Entity::delete_many().filter(audit_person::Column::SubjectId.eq(subject.0));
    Ok(forget.exec(tx).await?.rows_affected)
}

/// An entry as stored, with what is known beside it.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditRecord {
    /// The entry and its hashes.
    pub link: Link,
    /// When.
    pub at: DateTime<Utc>,
    /// Names and addresses that were not erased, by the words of [`Personal`].
    pub people: BTreeMap<String, String>,
}

/// Which entries to list.
#[derive(Clone, Default, Debug)]
pub struct AuditFilter {
    /// Of these actions; all where empty.
    pub actions: Vec<String>,
    /// Done by this person.
    pub subject: Option<SubjectId>,
    /// Done to this.
    pub object: Option<Object>,
}

/// From where and in which order to list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditOrder {
    /// The oldest first, behind this place; 0 for the start.
    After(u64),
    /// The newest first, before this place, or from the end.
    Before(Option<u64>),
}

/// A signed position of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// What was signed.
    pub position: Position,
    /// When.
    pub at: DateTime<Utc>,
    /// Over [`model::audit::head_message`].
    pub signature: Vec<u8>,
    /// When it reached a place that nobody here can rewrite.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct Audit {
    store: Store,
}

impl Audit {
    pub(crate) fn new(store: Store) -> Self {
        Audit { store }
    }

    /// Writes down what changed nothing else: a refusal, an export.
    ///
    /// # Errors
    /// The database's.
    pub async fn append(&self, entries: Vec<AuditEntry>, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.store
            .write_audited(now, move |_| {
                let entries = entries.clone();
                Box::pin(async move { Ok(((), entries)) })
            })
            .await
    }

    /// Entries in an order.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let query = audit::Entity::find().filter(condition(filter));
        let query = match order {
            AuditOrder::After(seq) => {
                query.filter(audit::Column::Seq.gt(column(seq))).order_by_asc(audit::Column::Seq)
            }
            AuditOrder::Before(seq) => query
                .filter(Condition::all().add_option(seq.map(|seq| audit::Column::Seq.lt(column(seq)))))
                .order_by_desc(audit::Column::Seq),
        };
        let query = query.limit(u64::from(limit.clamp(1, crate::MAX_PAGE)));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        let mut people = self.people_of(&rows).await?;
        rows.into_iter()
            .map(|row| {
                let known = people.remove(&row.seq).unwrap_or_default();
                record(row, known)
            })
            .collect()
    }

    /// Where the chain ends now.
    ///
    /// # Errors
    /// The database's.
    pub async fn tip(&self) -> Result<Position, StoreError> {
        let query = audit_state::Entity::find_by_id(STATE);
        let state = self.store.read(|db| Box::pin(query.one(db))).await?;
        state.as_ref().and_then(position).ok_or(StoreError::Corrupt { column: "audit_state.last_hash" })
    }

    /// Follows the whole chain. `heads` are positions that were signed and kept, here or elsewhere.
    ///
    /// # Errors
    /// The database's; the inner error is the first place that was tampered with.
    pub async fn verify(
        &self,
        heads: impl IntoIterator<Item = Position>,
    ) -> Result<Result<Report, Break>, StoreError> {
        let mut verifier = match Verifier::new(heads) {
            Ok(verifier) => verifier,
            Err(found) => return Ok(Err(found)),
        };
        let mut last = i64::MIN;
        loop {
            let rows = self.behind(last).await?;
            // What was appended before this was read is in a later page, or was removed.
            let Some(next) = rows.last().map(|row| row.seq) else {
                let tip = self.tip().await?;
                let grew = tip.seq > verifier.position().seq && !self.behind(last).await?.is_empty();
                if grew {
                    continue;
                }
                return Ok(verifier.finish(Some(tip)));
            };
            let people = self.people_of(&rows).await?;
            for row in rows {
                if let Err(found) = check(&mut verifier, row, &people) {
                    return Ok(Err(found));
                }
            }
            last = next;
        }
    }

    /// Keeps a signed head.
    ///
    /// # Errors
    /// The database's; a second head of the same place is a `store.conflict`.
    pub async fn add_head(&self, head: AuditHead) -> Result<(), StoreError> {
        let row = audit_head::Model {
            seq: column(head.position.seq),
            at: moment(head.at),
            hash: head.position.hash.to_vec(),
            signature: head.signature,
            delivered_at: head.delivered_at.map(moment),
        };
        self.store
            .write(move |tx| {
                let row = audit_head::ActiveModel::from(row.clone()).reset_all();
                Box::pin(async move {
                    audit_head::Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
                })
            })
            .await
    }

    /// Signed heads in order of their places, behind a place; with `undelivered` only those that did not reach a
    /// place elsewhere yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn heads(
        &self,
        after: u64,
        undelivered: bool,
        limit: u32,
    ) -> Result<Vec<AuditHead>, StoreError> {
        let waiting = undelivered.then(|| audit_head::Column::DeliveredAt.is_null());
        let query = audit_head::Entity::find()
            .filter(audit_head::Column::Seq.gt(column(after)))
            .filter(Condition::all().add_option(waiting))
            .order_by_asc(audit_head::Column::Seq)
            .limit(u64::from(limit.clamp(1, crate::MAX_PAGE)));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        rows.into_iter().map(head).collect()
    }

    /// The last signed head.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_head(&self) -> Result<Option<AuditHead>, StoreError> {
        let query = audit_head::Entity::find().order_by_desc(audit_head::Column::Seq);
        self.store.read(|db| Box::pin(query.one(db))).await?.map(head).transpose()
    }

    /// Records that the head of this place reached a place elsewhere. Answers whether it is the first time.
    ///
    /// # Errors
    /// The database's.
    pub async fn head_delivered(&self, seq: u64, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let update = audit_head::Entity::update_many()
            .filter(audit_head::Column::Seq.eq(column(seq)))
            .filter(audit_head::Column::DeliveredAt.is_null())
            .col_expr(audit_head::Column::DeliveredAt, Expr::value(moment(now)));
        let done = self.store.write(move |tx| Box::pin(update.clone().exec(tx))).await?;
        Ok(done.rows_affected > 0)
    }

    /// Forgets names and addresses of entries older than `before`, whosever they are. Answers how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_people(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = moment(before);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    // Entries are in order of time but for clocks that were set back: the first young one is the limit.
                    let young = audit::Entity::find()
                        .filter(audit::Column::At.gte(before))
                        .order_by_asc(audit::Column::Seq)
                        .one(tx)
                        .await?;
                    let old = young.map(|young| audit_person::Column::Seq.lt(young.seq));
                    let forget = audit_person::Entity::delete_many().filter(Condition::all().add_option(old));
                    Ok(forget.exec(tx).await?.rows_affected)
                })
            })
            .await
    }

    async fn behind(&self, seq: i64) -> Result<Vec<audit::Model>, StoreError> {
        let query = audit::Entity::find()
            .filter(audit::Column::Seq.gt(seq))
            .order_by_asc(audit::Column::Seq)
            .limit(STRIDE);
        self.store.read(|db| Box::pin(query.all(db))).await
    }

    async fn people_of(
        &self,
        rows: &[audit::Model],
    ) -> Result<BTreeMap<i64, Vec<audit_person::Model>>, StoreError> {
        let query = audit_person::Entity::find()
            .filter(audit_person::Column::Seq.is_in(rows.iter().map(|row| row.seq)));
        let mut people: BTreeMap<i64, Vec<_>> = BTreeMap::new();
        if !rows.is_empty() {
            for person in self.store.read(|db| Box::pin(query.all(db))).await? {
                people.entry(person.seq).or_default().push(person);
            }
        }
        Ok(people)
    }
}

fn condition(filter: &AuditFilter) -> Condition {
    let actions = (!filter.actions.is_empty()).then(|| audit::Column::Action.is_in(&filter.actions));
    Condition::all()
        .add_option(actions)
        .add_option(filter.subject.map(|subject| audit::Column::SubjectId.eq(subject.0)))
        .add_option(filter.object.map(|object| audit::Column::Object.eq(object.to_string())))
}

/// One row of the chain and what lies beside it.
fn check(
    verifier: &mut Verifier,
    row: audit::Model,
    people: &BTreeMap<i64, Vec<audit_person::Model>>,
) -> Result<(), Break> {
    let seq = verifier.position().seq.saturating_add(1);
    let beside = people.get(&row.seq).map(Vec::as_slice).unwrap_or_default();
    let link = link_of(row).ok_or(Break { seq, what: Fault::Altered })?;
    verifier.check(&link)?;
    match beside.iter().find(|person| !is_committed(&link.entry.detail, person)) {
        Some(person) => Err(Break { seq, what: Fault::PersonAltered { kind: person.kind.clone() } }),
        None => Ok(()),
    }
}

fn is_committed(detail: &str, person: &audit_person::Model) -> bool {
    let Ok(salt) = <[u8; 16]>::try_from(person.salt.as_slice()) else { return false };
    let hash = hex(&chain::commitment(&person.kind, &salt, &person.value));
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    detail.get(COMMITTED).and_then(|all| all.get(&person.kind)).and_then(Value::as_str) == Some(&hash)
}

fn record(row: audit::Model, people: Vec<audit_person::Model>) -> Result<AuditRecord, StoreError> {
    let at = row.at;
    let link = link_of(row).ok_or(StoreError::Corrupt { column: "audit.hash" })?;
    let people = people.into_iter().map(|person| (person.kind, person.value)).collect();
    Ok(AuditRecord { link, at, people })
}

fn link_of(row: audit::Model) -> Option<Link> {
    let entry = Entry {
        seq: u64::try_from(row.seq).unwrap_or(0),
        at: row.at.timestamp_micros(),
        action: row.action,
        subject: row.subject_id.map(SubjectId),
        object: row.object,
        code: row.code,
        detail: row.detail,
    };
    let hash = |bytes: Vec<u8>| Hash::try_from(bytes).ok();
    Some(Link { entry, prev_hash: hash(row.prev_hash)?, hash: hash(row.hash)? })
}

fn head(row: audit_head::Model) -> Result<AuditHead, StoreError> {
    let hash = Hash::try_from(row.hash).map_err(|_| StoreError::Corrupt { column: "audit_heads.hash" })?;
    Ok(AuditHead {
        position: Position { seq: u64::try_from(row.seq).unwrap_or(0), hash },
        at: row.at,
        signature: row.signature,
        delivered_at: row.delivered_at,
    })
}

fn position(state: &audit_state::Model) -> Option<Position> {
    let hash = Hash::try_from(state.last_hash.as_slice()).ok()?;
    Some(Position { seq: u64::try_from(state.last_seq).ok()?, hash })
}

fn column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
