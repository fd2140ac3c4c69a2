//! The audit log as an auditor has it: verified against tampering, and its heads carried elsewhere.

use crate::house::{House, gatehouse};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use testkit::pg::{Database, Server};
use testkit::process::{Program, require};
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

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

/// [RFC 6587, 3.4.1] The length, a space, the message: each head on a connection of its own.
async fn framed(listener: &TcpListener) -> Result<String> {
    let (mut stream, _) = listener.accept().await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (length, message) = text.split_once(' ').context("no length")?;
    ensure!(length.parse::<usize>()? == message.len(), "{length} for {}: {message}", message.len());
    Ok(message.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_reach_a_collector_by_tcp_in_frames() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let syslog = TcpListener::bind("127.0.0.1:0").await?;
    let config = format!("[audit]\nhead_seconds = 1\nsyslog = \"tcp://{}\"\n", syslog.local_addr()?);
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    let house = House::start_in(dir, &[]).await?;
    let mut kept = String::new();
    for name in ["first", "second"] {
        gatehouse(house.dir.path(), &["admin", "group", "add", name]).run().await?;
        let message = soon("a frame", framed(&syslog)).await?;
        assert!(message.starts_with("<109>1 ") && message.contains("gatehouse.audit.head"), "{message}");
        kept.push_str(&message);
    }
    let proof = house.dir.path().join("proof.log");
    std::fs::write(&proof, kept)?;
    let verify = ["audit", "verify", "--head", &proof.display().to_string()];
    assert!(gatehouse(house.dir.path(), &verify).run().await?.contains("from elsewhere 2"));
    Ok(())
}

/// An authority of our own in PEM, and what speaks TLS with a certificate of it.
fn private_authority() -> Result<(String, TlsAcceptor)> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let (key, leaf_key) = (KeyPair::generate()?, KeyPair::generate()?);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::from_ca_cert_der(authority.der(), &key)?;
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&leaf_key, &issuer)?;
    let secret = PrivateKeyDer::try_from(leaf_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], secret)?;
    Ok((authority.pem(), TlsAcceptor::from(Arc::new(config))))
}

/// Takes one document over TLS; fails where the client does not trust it.
async fn taken(listener: &TcpListener, tls: &TlsAcceptor) -> Result<String> {
    let (stream, _) = listener.accept().await?;
    let mut stream = tls.accept(stream).await?;
    let mut text = Vec::new();
    while !text.ends_with(b"}") {
        ensure!(stream.read_buf(&mut text).await? > 0, "the request ended early");
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    stream.shutdown().await?;
    Ok(String::from_utf8(text)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_reach_a_webhook_whose_authority_is_named_and_no_other() -> Result<()> {
    let (authority, tls) = private_authority()?;
    for is_named in [false, true] {
        let dir = tempfile::tempdir()?;
        let webhook = TcpListener::bind("127.0.0.1:0").await?;
        let at = webhook.local_addr()?;
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, &authority)?;
        let trust = if is_named { format!("authorities = {file:?}\n") } else { String::new() };
        let config = format!(
            "[audit]\nhead_seconds = 1\nwebhook = \"https://{at}/heads\"\n[egress]\nlocal_services = [\"{at}\"]\n{trust}"
        );
        std::fs::write(dir.path().join("gatehouse.toml"), config)?;
        let house = House::start_in(dir, &[]).await?;
        let posted = tokio::time::timeout(wait::LIMIT, taken(&webhook, &tls)).await?;
        if is_named {
            let posted = posted?;
            assert!(posted.starts_with("POST /heads HTTP/1.1\r\n"), "{posted}");
            assert!(posted.contains("\"kind\":\"gatehouse.audit.head\""), "{posted}");
        } else {
            let refused = posted.err().context("it was trusted")?;
            assert!(format!("{refused:#}").contains("UnknownCA"), "{refused:#}");
            let said = |line: &str| line.contains("TLS failed").then_some(());
            house.child.line("that the head was not delivered", said).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_gives_an_auditor_is_what_the_command_line_gives_and_proves_as_much() -> Result<()> {
    let house = House::start().await?;
    let dir = house.dir.path();
    let run = async |args: &[&str]| gatehouse(dir, args).run().await;
    let mut printed = String::new();
    for name in ["a", "b", "c"] {
        run(&["admin", "group", "add", name]).await?;
        printed = run(&["audit", "head"]).await?;
    }
    let given = house.ask("GET", "/api/audit/heads", "").await?.json();
    let key = given["public_key"].as_str().context("no key")?;
    let heads = given["heads"].as_array().context("no heads")?;
    let lines: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(heads.len() >= 3 && heads.len() == lines.len(), "{printed}{given}");
    let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value["at"].as_str().unwrap_or_default());
    for (line, head) in lines.iter().zip(heads) {
        for field in ["kind", "seq", "hash", "key", "signature"] {
            assert_eq!(line[field], head[field], "{field}");
        }
        assert_eq!((time(line)?, head["key"].as_str()), (time(head)?, Some(key)));
    }
    let kept = dir.join("heads.json").display().to_string();
    std::fs::write(&kept, given.to_string())?;
    let verify = ["audit", "verify", "--head", &kept, "--key", key];
    assert!(run(&verify).await?.contains(&format!("from elsewhere {}", heads.len())));
    let last = heads.last().and_then(|head| head["seq"].as_u64()).context("no head")?;
    let swap = "UPDATE audit SET seq = 1000 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 1000";
    let cut = format!(
        "DELETE FROM audit WHERE seq >= {last}; DELETE FROM audit_heads WHERE seq >= {last};
         UPDATE audit_state SET last_seq = {0}, last_hash = (SELECT hash FROM audit WHERE seq = {0})",
        last - 1
    );
    for (tamper, undo, code) in [
        (
            "UPDATE audit SET action = 'x' || action WHERE seq = 2",
            "UPDATE audit SET action = substr(action, 2) WHERE seq = 2",
            "audit.altered",
        ),
        (
            "CREATE TABLE gone AS SELECT * FROM audit WHERE seq = 2; DELETE FROM audit WHERE seq = 2",
            "INSERT INTO audit SELECT * FROM gone; DROP TABLE gone",
            "audit.removed",
        ),
        (swap, swap, "audit."),
        (cut.as_str(), "", "audit.cut"),
    ] {
        sqlite(dir, tamper).await?;
        let error = run(&verify).await.err().context("nothing was found")?.to_string();
        assert!(error.contains(code), "{tamper}: {error}");
        if !undo.is_empty() {
            sqlite(dir, undo).await?;
            run(&verify).await?;
        }
    }
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
