//! The audit log as an auditor has it: verified against tampering, and its heads carried elsewhere.

use crate::house::{House, gatehouse};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::Arc;
use testkit::pg::{Database, Server};
use testkit::process::{Program, require};
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram};

/// A data directory on one of the two databases, and somebody with the database's own tools.
enum Tamperer {
    Sqlite,
    Postgres { _server: Server, database: Database },
}

impl Tamperer {
    fn program(&self, dir: &Path, args: &[&str]) -> Program {
        let program = gatehouse(dir, args);
        match self {
            Tamperer::Sqlite => program,
            Tamperer::Postgres { database, .. } => program.env("GATEHOUSE_DATABASE__URL", database.url()),
        }
    }

    async fn run(&self, dir: &Path, sql: &str) -> Result<String> {
        match self {
            Tamperer::Sqlite => sqlite(dir, sql).await,
            Tamperer::Postgres { database, .. } => database.run(sql),
        }
    }
}

pub(crate) async fn sqlite(dir: &Path, sql: &str) -> Result<String> {
    let tool = Program::new(require("sqlite3", "sqlite3")?);
    tool.args(["-cmd", ".timeout 5000"]).arg(dir.join("gatehouse.db")).arg(sql).run().await
}

/// What `audit verify` finds wrong.
async fn found(who: &Tamperer, dir: &Path, args: &[&str]) -> Result<String> {
    let result = who.program(dir, &[&["audit", "verify"], args].concat()).run().await;
    let error = result.err().context("nothing was found")?.to_string();
    Ok(error)
}

async fn every_tampering_is_found(who: &Tamperer) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let dir = directory.path();
    let run = async |args: &[&str]| who.program(dir, args).run().await;
    for name in ["a", "b", "c", "d", "e"] {
        run(&["admin", "group", "add", name]).await?;
    }
    let kept = dir.join("heads.log");
    let heads = run(&["audit", "head"]).await?;
    std::fs::write(&kept, format!("Nov 21 10:00:00 gate gatehouse[7]: {heads}"))?;
    let kept = kept.display().to_string();
    let whole = run(&["audit", "verify", "--head", &kept]).await?;
    assert!(whole.contains("5 entries") && whole.contains("from elsewhere 1"), "{whole}");
    // What is done, what is found, and what undoes it.
    let swap = "UPDATE audit SET seq = 100 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 100";
    for (tamper, seq, code, undo) in [
        (
            "UPDATE audit SET detail = replace(detail, 'cli', 'api') WHERE seq = 3",
            3,
            "audit.altered",
            "UPDATE audit SET detail = replace(detail, 'api', 'cli') WHERE seq = 3",
        ),
        (
            "CREATE TABLE gone AS SELECT * FROM audit WHERE seq = 3; DELETE FROM audit WHERE seq = 3",
            3,
            "audit.removed",
            "INSERT INTO audit SELECT * FROM gone; DROP TABLE gone",
        ),
        (swap, 2, "audit.", swap),
    ] {
        who.run(dir, tamper).await?;
        let error = found(who, dir, &[]).await?;
        assert!(error.contains(&format!("entry {seq}")) && error.contains(code), "{tamper}: {error}");
        who.run(dir, undo).await?;
        assert!(run(&["audit", "verify"]).await?.contains("whole"), "{undo}");
    }
    // The tail, with everything that the machine itself knows of it.
    for sql in [
        "DELETE FROM audit WHERE seq > 3",
        "DELETE FROM audit_heads WHERE seq > 3",
        "UPDATE audit_state SET last_seq = 3, last_hash = (SELECT hash FROM audit WHERE seq = 3)",
    ] {
        who.run(dir, sql).await?;
    }
    assert!(run(&["audit", "verify"]).await?.contains("3 entries"));
    let error = found(who, dir, &["--head", &kept]).await?;
    assert!(error.contains("entry 4") && error.contains("audit.cut"), "{error}");
    heads_that_prove_nothing(who, dir, &heads).await
}

async fn heads_that_prove_nothing(who: &Tamperer, dir: &Path, heads: &str) -> Result<()> {
    let file = dir.join("other.log");
    let named = file.display().to_string();
    std::fs::write(&file, heads.replace("\"seq\":5", "\"seq\":2"))?;
    let error = found(who, dir, &["--head", &named]).await?;
    assert!(error.contains("audit.head_forged"), "{error}");
    let other = "11".repeat(32);
    std::fs::write(&file, heads)?;
    let error = found(who, dir, &["--head", &named, "--key", &other]).await?;
    assert!(error.contains("audit.head_other_key"), "{error}");
    std::fs::write(&file, "nothing\n")?;
    assert!(found(who, dir, &["--head", &named]).await?.contains("no signed head"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_found_with_its_entry_on_sqlite() -> Result<()> {
    every_tampering_is_found(&Tamperer::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_found_with_its_entry_on_postgresql() -> Result<()> {
    let server = Server::obtain()?;
    let database = server.database(None)?;
    every_tampering_is_found(&Tamperer::Postgres { _server: server, database }).await
}

/// A webhook that first fails and then takes; gives back what it took.
async fn reluctant(listener: TcpListener) -> Result<String> {
    for answer in ["HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let (mut stream, _) = listener.accept().await?;
        let mut text = Vec::new();
        while !text.ends_with(b"}") {
            ensure!(stream.read_buf(&mut text).await? > 0, "the request ended early");
        }
        stream.write_all(answer.as_bytes()).await?;
        if answer.contains("200") {
            return Ok(String::from_utf8(text)?);
        }
    }
    anyhow::bail!("it did not come back")
}

async fn soon<T>(what: &str, awaited: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(wait::LIMIT, awaited).await.with_context(|| what.to_owned())?
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_reach_every_place_and_are_tried_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let syslog = UdpSocket::bind("127.0.0.1:0").await?;
    let webhook = TcpListener::bind("127.0.0.1:0").await?;
    let file = dir.path().join("heads.jsonl");
    let (udp, http) = (syslog.local_addr()?, webhook.local_addr()?);
    let config = format!(
        "[audit]\nhead_seconds = 1\nsyslog = \"udp://{udp}\"\nwebhook = \"http://{http}/heads/canary-token\"\nfile = {file:?}\n[egress]\nlocal_services = [\"{http}\"]\n"
    );
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    let posted = tokio::spawn(reluctant(webhook));
    let house = House::start_in(dir, &[]).await?;
    gatehouse(house.dir.path(), &["admin", "group", "add", "class"]).run().await?;
    let mut datagram = vec![0; 4096];
    let length = soon("a datagram", async { Ok(syslog.recv(&mut datagram).await?) }).await?;
    let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
    assert!(text.starts_with("<109>1 ") && text.contains(" audit-head - {"), "{text}");
    let posted = soon("the second request", async { posted.await? }).await?;
    assert!(posted.starts_with("POST /heads/canary-token HTTP/1.1\r\n"), "{posted}");
    assert!(posted.contains("\"kind\":\"gatehouse.audit.head\""), "{posted}");
    wait::until("a delivery that is written down", wait::LIMIT, async || {
        let sql = "SELECT count(*) FROM audit_heads WHERE delivered_at IS NOT NULL";
        let count = sqlite(house.dir.path(), sql).await.ok()?;
        (count.trim() != "0" && file.exists()).then_some(())
    })
    .await?;
    let proof = house.dir.path().join("proof.log");
    std::fs::write(&proof, format!("{text}\n{posted}\n{}", std::fs::read_to_string(&file)?))?;
    let verified = gatehouse(house.dir.path(), &["audit", "verify", "--head", &proof.display().to_string()])
        .run()
        .await?;
    assert!(verified.contains("from elsewhere 3") || verified.contains("from elsewhere 4"), "{verified}");
    let log = house.child.output();
    assert!(log.contains("not delivered") && !log.contains("canary-token"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_reach_a_collector_on_a_unix_socket() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("log.sock");
    let syslog = Arc::new(UnixDatagram::bind(&path)?);
    let config = format!("[audit]\nhead_seconds = 1\nsyslog = \"unix://{}\"\n", path.display());
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    let house = House::start_in(dir, &[]).await?;
    gatehouse(house.dir.path(), &["admin", "group", "add", "class"]).run().await?;
    let mut datagram = vec![0; 4096];
    let length = soon("a datagram", async { Ok(syslog.recv(&mut datagram).await?) }).await?;
    assert!(String::from_utf8_lossy(&datagram[..length]).contains("gatehouse.audit.head"));
    Ok(())
}
