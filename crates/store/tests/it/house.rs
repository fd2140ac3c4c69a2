//! A fresh store for each test, and the values that tests are about.

use chrono::{DateTime, TimeDelta, Utc};
use model::session::{EndReason, Ingress};
use model::target::{Address, Security};
use model::{BootId, NodeId, Policy, SessionId, TargetId, TicketId};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use store::{
    DatabaseUrl, NewSession, NewTarget, NewTicket, Options, SessionEnd, Store, TakeTicket, TargetRecord,
    TokenHash,
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
    _database: Guard,
}

#[expect(dead_code, reason = "held for their Drop")]
enum Guard {
    File(tempfile::TempDir),
    Postgres(pg::Database),
}

impl House {
    pub(crate) async fn sqlite() -> House {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::file(directory.path().join("data").join("gatehouse.db"));
        let store = Store::open(&url, patient()).await.unwrap();
        House { store, url, _database: Guard::File(directory) }
    }

    pub(crate) async fn postgresql() -> House {
        let database = postgres_database().await;
        let url: DatabaseUrl = database.url().parse().unwrap();
        let store = Store::open(&url, patient()).await.unwrap();
        House { store, url, _database: Guard::Postgres(database) }
    }

    /// A second store on the same database, as another process or node would have.
    pub(crate) async fn neighbor(&self) -> Store {
        Store::open(&self.url, patient()).await.unwrap()
    }

    pub(crate) async fn target(&self, name: &str) -> TargetRecord {
        self.store.targets().add(new_target(name), noon()).await.unwrap()
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
        security: Security::default(),
        username: None,
        sealed_secret: None,
    }
}

pub(crate) fn new_ticket(target: TargetId, token: u8) -> NewTicket {
    NewTicket {
        id: TicketId(Uuid::now_v7()),
        token_hash: TokenHash([token; 32]),
        target,
        policy: Policy { view_only: true, ..Policy::default() },
        subject: "ann".to_owned(),
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
        protocol: "vnc",
        ingress: Ingress::WebSocket,
        viewer: "192.0.2.7:40000".parse().unwrap(),
        server: None,
        auth_method: Some("ticket".to_owned()),
        user_agent: Some("Browser/1".to_owned()),
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
        counters: model::session::Counters::default(),
        ended_at: after(60),
    }
}

/// Bytes that no other call of this process gave.
pub(crate) fn fresh() -> u8 {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
