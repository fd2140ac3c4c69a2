//! A fresh store for each test, and the values that tests are about.

use chrono::{DateTime, TimeDelta, Utc};
use model::audit::Action;
use model::session::{EndReason, Ingress};
use model::target::{Address, Origin, Security};
use model::{BootId, NodeId, Policy, Role, SessionId, SubjectId, TargetId, TicketId, UserId};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use store::{
    AuditEntry, AuditFilter, AuditOrder, AuditRecord, DatabaseUrl, NewSession, NewTarget, NewTicket, NewUser,
    Options, SessionEnd, Store, TakeTicket, TargetRecord, TokenHash, UserRecord,
};
use testkit::pg;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Makes two tests of one: `sqlite` and `postgresql`.
macro_rules! on_both {
    ($(async fn $name:ident($house:ident) $body:block)*) => {$(
        mod $name {
            #[expect(clippy::allow_attributes, reason = "a module that needs nothing from outside is no mistake")]
            #[allow(unused_imports)]
            use super::*;

            async fn run($house: crate::house::House) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(crate::house::House::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgresql() {
                run(crate::house::House::postgresql().await).await;
            }
        }
    )*};
}
pub(crate) use on_both;

/// A store with a database of its own.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) url: DatabaseUrl,
    database: Guard,
}

enum Guard {
    #[expect(dead_code, reason = "held for its Drop")]
    File(tempfile::TempDir),
    Postgres(pg::Database),
}

impl House {
    pub(crate) async fn sqlite() -> House {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::file(directory.path().join("data").join("gatehouse.db"));
        let store = Store::open(&url, patient()).await.unwrap();
        House { store, url, database: Guard::File(directory) }
    }

    pub(crate) async fn postgresql() -> House {
        let database = postgres_database().await;
        let url: DatabaseUrl = database.url().parse().unwrap();
        let store = Store::open(&url, patient()).await.unwrap();
        House { store, url, database: Guard::Postgres(database) }
    }

    /// A house of the same kind with a database of its own.
    pub(crate) async fn another(&self) -> House {
        match self.database {
            Guard::File(_) => House::sqlite().await,
            Guard::Postgres(_) => House::postgresql().await,
        }
    }

    /// What somebody does who has the database but not the program.
    pub(crate) async fn tamper(&self, sql: &str) {
        match &self.database {
            Guard::File(_) => {
                let url = self.url.to_string();
                let file = url.strip_prefix("sqlite:").unwrap();
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                let mut database = sqlx::ConnectOptions::connect(&options).await.unwrap();
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let done = sqlx::Executor::execute(&mut database, sql).await.unwrap();
                assert!(done.rows_affected() > 0, "nothing was tampered with");
            }
            Guard::Postgres(database) => drop(database.run(sql).unwrap()),
        }
    }

    /// A second store on the same database, as another process or node would have.
    pub(crate) async fn neighbor(&self) -> Store {
        Store::open(&self.url, patient()).await.unwrap()
    }

    pub(crate) async fn target(&self, name: &str) -> TargetRecord {
        self.store.targets().add(new_target(name), noon()).await.unwrap()
    }

    /// A person who can log in but has no password.
    pub(crate) async fn user(&self, name: &str, role: Role) -> UserRecord {
        self.store.people().add(new_user(name, role), entry(), noon()).await.unwrap()
    }

    /// What was written down behind this place.
    pub(crate) async fn audit_after(&self, seq: u64) -> Vec<AuditRecord> {
        self.store.audit().list(&AuditFilter::default(), AuditOrder::After(seq), 1000).await.unwrap()
    }

    /// The log is whole, and so many entries long.
    pub(crate) async fn whole_log(&self) -> u64 {
        self.store.audit().verify([]).await.unwrap().unwrap().entries
    }

    /// A ticket of one hour for this target; its token's hash is made of `token`.
    pub(crate) async fn ticket(&self, target: TargetId, token: u8) -> TokenHash {
        let ticket = new_ticket(target, token);
        let hash = ticket.token_hash;
        self.store.tickets().issue(ticket).await.unwrap();
        hash
    }
}

/// For tests that are not about waiting: a busy machine may take its time.
pub(crate) fn patient() -> Options {
    Options { wait: Duration::from_secs(60), ..Options::default() }
}

/// One server for the whole binary; the process takes it along when it ends.
pub(crate) fn postgres_server() -> &'static pg::Server {
    static SERVER: OnceLock<pg::Server> = OnceLock::new();
    SERVER.get_or_init(|| pg::Server::obtain().unwrap())
}

pub(crate) async fn postgres_database() -> pg::Database {
    static TEMPLATE: OnceCell<pg::Template> = OnceCell::const_new();
    let server = postgres_server();
    let template = TEMPLATE
        .get_or_init(|| async {
            let migrate = |url: String| async move {
                Store::open(&url.parse()?, patient()).await?.close().await;
                Ok(())
            };
            server.template(migrate).await.unwrap()
        })
        .await;
    server.database(Some(template)).unwrap()
}

/// Every test's clock stands at this moment, with more digits than a database keeps.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00.123456789Z".parse().unwrap()
}

/// What `noon` is after it was stored.
pub(crate) fn stored_noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00.123456Z".parse().unwrap()
}

pub(crate) fn after(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

pub(crate) fn new_target(name: &str) -> NewTarget {
    NewTarget {
        id: TargetId(Uuid::now_v7()),
        name: name.to_owned(),
        address: Address::Tcp { host: "desk.example".to_owned(), port: 5901 },
        origin: Origin::Administrator,
        security: Security::default(),
        username: None,
        sealed_secret: None,
        tags: Vec::new(),
        description: String::new(),
        thumbnails: false,
    }
}

pub(crate) fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        id: UserId(Uuid::now_v7()),
        subject: SubjectId(Uuid::new_v4()),
        name: name.to_owned(),
        display_name: format!("{name} of the test"),
        password_hash: None,
        role,
        language: None,
    }
}

/// For changes whose entry a test does not look at.
pub(crate) fn entry() -> AuditEntry {
    AuditEntry::new(Action::SettingChanged)
}

/// A hash that no other call gave.
pub(crate) fn hash() -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    TokenHash(bytes)
}

pub(crate) fn new_ticket(target: TargetId, token: u8) -> NewTicket {
    NewTicket {
        id: TicketId(Uuid::now_v7()),
        token_hash: TokenHash([token; 32]),
        target,
        policy: Policy { view_only: true, ..Policy::default() },
        subject: "ann".to_owned(),
        owner: None,
        login: None,
        created_at: noon(),
        expires_at: after(3600),
        sealed_vnc_password: None,
    }
}

pub(crate) fn take(token: TokenHash) -> TakeTicket {
    TakeTicket {
        token_hash: token,
        session: SessionId(Uuid::now_v7()),
        taken_by: "192.0.2.7:40000".parse().unwrap(),
        resume_hash: None,
    }
}

pub(crate) const NODE: NodeId = NodeId(Uuid::from_u128(1));
pub(crate) const BOOT: BootId = BootId(Uuid::from_u128(2));

pub(crate) fn new_session(target: &TargetRecord) -> NewSession {
    NewSession {
        id: SessionId(Uuid::now_v7()),
        target: target.id,
        target_name: target.name.clone(),
        subject: "ann".to_owned(),
        owner: None,
        protocol: "vnc",
        ingress: Ingress::WebSocket,
        viewer: "192.0.2.7:40000".parse().unwrap(),
        server: None,
        auth_method: Some("ticket".to_owned()),
        user_agent: Some("Browser/1".to_owned()),
        port_mapping: None,
        policy: Policy::default(),
        token_hash: None,
        expires_at: None,
        node: NODE,
        boot: BOOT,
        started_at: noon(),
    }
}

pub(crate) fn end_of(id: SessionId, reason: EndReason) -> SessionEnd {
    SessionEnd {
        id,
        attachment: 0,
        reason,
        code: None,
        blocked: false,
        ended_by: None,
        counters: model::session::Counters::default(),
        ended_at: after(60),
    }
}

/// Bytes that no other call of this process gave.
pub(crate) fn fresh() -> u8 {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
