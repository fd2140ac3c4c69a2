//! `gatehouse audit`: whether the log is whole, and what it says.

use crate::admin::by_cli;
use crate::cli::{AuditCommand, Common};
use crate::heads::{self, Line};
use crate::house::House;
use anyhow::{Context, Result, anyhow, bail};
use auth::head::{PublicKey, Signature};
use chrono::{SecondsFormat, Utc};
use data_encoding::HEXLOWER as HEX;
use model::Coded;
use model::audit::{Action, Position};
use serde_json::json;
use std::io::{Read, Write};
use std::path::Path;
use store::{AuditFilter, AuditOrder, AuditRecord, MAX_PAGE};

/// A file of heads holds a line for each hour; more than this is something else.
const LARGEST: u64 = 256 << 20;

pub(crate) async fn run(common: &Common, command: AuditCommand) -> Result<()> {
    let house = House::open(common).await?;
    match command {
        AuditCommand::Verify { head, key } => verify(&house, head.as_deref(), key.as_deref()).await,
        AuditCommand::Export { after } => export(&house, after).await,
        AuditCommand::Head => print_heads(&house).await,
    }
}

async fn verify(house: &House, kept: Option<&Path>, key: Option<&str>) -> Result<()> {
    let key: PublicKey = match key {
        Some(text) => text.parse().context("--key")?,
        None => house.head_key.public(),
    };
    let elsewhere = match kept {
        Some(path) => kept_heads(path, &key)?,
        None => Vec::new(),
    };
    let (here, foreign) = stored_heads(house, &key).await?;
    let heads = here.iter().chain(&elsewhere).copied();
    match house.store.audit().verify(heads).await? {
        Ok(report) => {
            println!("The audit log is whole: {} entries, the last with SHA-256", report.entries);
            println!("{}", HEX.encode(&report.hash));
            println!("signed heads here {}, from elsewhere {}", here.len(), elsewhere.len());
            if foreign > 0 {
                println!("{foreign} heads here were signed with another key and prove nothing with this one");
            }
            println!("public key {key}");
            if kept.is_none() {
                eprintln!(
                    "A log that was cut or written anew as a whole is found only with heads kept elsewhere: --head FILE"
                );
            }
            Ok(())
        }
        Err(found) => Err(anyhow!("{found} ({})", found.code())),
    }
}

/// Heads of a file that was kept elsewhere. One that is not ours is an error: somebody wants to be believed.
fn kept_heads(path: &Path, key: &PublicKey) -> Result<Vec<Position>> {
    let mut text = String::new();
    let unreadable = || format!("cannot read {}", path.display());
    if path == Path::new("-") {
        std::io::stdin().take(LARGEST).read_to_string(&mut text).with_context(unreadable)?;
    } else {
        let file = std::fs::File::open(path).with_context(unreadable)?;
        file.take(LARGEST).read_to_string(&mut text).with_context(unreadable)?;
    }
    let heads = Line::all(&text).map(|line| line.verify(key)).collect::<Result<Vec<_>>>()?;
    if heads.is_empty() {
        bail!("there is no signed head in {}", path.display());
    }
    Ok(heads)
}

/// Heads in the database, and how many of them are of another key: of another node, or of one before.
async fn stored_heads(house: &House, key: &PublicKey) -> Result<(Vec<Position>, u64)> {
    let audit = house.store.audit();
    let (mut good, mut foreign, mut after) = (Vec::new(), 0_u64, 0);
    loop {
        let heads = audit.heads(after, false, MAX_PAGE).await?;
        let Some(last) = heads.last() else { return Ok((good, foreign)) };
        after = last.position.seq;
        for head in heads {
            let at = head.at.timestamp_micros();
            let judged = Signature::from_bytes(&head.signature)
                .and_then(|signature| signature.verify(key, head.position, at));
            match judged {
                Ok(()) => good.push(head.position),
                Err(auth::head::HeadError::OtherKey) => foreign = foreign.saturating_add(1),
                Err(error) => bail!("the head of entry {}: {error} ({})", head.position.seq, error.code()),
            }
        }
    }
}

async fn export(house: &House, after: u64) -> Result<()> {
    let audit = house.store.audit();
    let end = audit.tip().await?.seq;
    // Before a line leaves: what cannot be written down is not done.
    let entry = by_cli(Action::AuditExported).with("after", after);
    audit.append(vec![entry], Utc::now()).await?;
    let mut out = std::io::stdout().lock();
    let mut reached = after;
    while reached < end {
        let page = audit.list(&AuditFilter::default(), AuditOrder::After(reached), MAX_PAGE).await?;
        let Some(last) = page.last() else { break };
        reached = last.link.entry.seq;
        for record in page.iter().filter(|record| record.link.entry.seq <= end) {
            writeln!(out, "{}", line(record))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// An entry as it is exported. `detail` is the text that was hashed, so that others can verify the chain.
fn line(record: &AuditRecord) -> serde_json::Value {
    let entry = &record.link.entry;
    json!({
        "seq": entry.seq,
        "at": record.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "action": entry.action,
        "subject": entry.subject,
        "object": entry.object,
        "code": entry.code,
        "detail": entry.detail,
        "people": record.people,
        "prev_hash": HEX.encode(&record.link.prev_hash),
        "hash": HEX.encode(&record.link.hash),
    })
}

async fn print_heads(house: &House) -> Result<()> {
    heads::sign(&house.store, &house.head_key).await?;
    let audit = house.store.audit();
    let mut out = std::io::stdout().lock();
    let mut after = 0;
    loop {
        let heads = audit.heads(after, false, MAX_PAGE).await?;
        let Some(last) = heads.last() else { break };
        after = last.position.seq;
        for head in &heads {
            writeln!(out, "{}", Line::of(head).text()?)?;
        }
    }
    out.flush()?;
    Ok(())
}
