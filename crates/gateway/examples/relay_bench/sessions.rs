//! Many sessions: CPU to open and close one, memory of those that are idle, also after all were busy.

use crate::peer::{Peer, Visitor};
use crate::viewer::Viewer;
use crate::{Plan, target};
use anyhow::Result;
use std::thread;
use std::time::Duration;

/// How many open sessions at the same time.
const VISITORS: usize = 8;
/// Bytes asked for by each session of a busy crowd; a whole picture is sent.
const BUSY: usize = 1000;
/// Sessions that are busy at the same time: they take more than buffers and sockets hold, one after the other.
const BUSY_AT_ONCE: usize = 250;
/// Time for the last ends to be written down and for memory to be let go.
const REST: Duration = Duration::from_secs(2);

/// CPU of a session.
pub(crate) fn measure_cpu(peers: &[Peer], plan: &Plan) -> Result<()> {
    println!("\nOpened, shown a first update, closed");
    for (peer, count) in programs(peers, plan) {
        println!("{}, {count} sessions", peer.name);
        churn(peer, 1, count / 10)?;
        for people in [1, VISITORS] {
            let (tickets, sessions) = churn(peer, people, count / 2)?;
            println!(
                "  {people} at a time: {tickets:.3} ms of CPU for a ticket, {sessions:.3} ms for a session"
            );
        }
    }
    Ok(())
}

/// Memory of many sessions.
pub(crate) fn measure_memory(peers: &[Peer], plan: &Plan) -> Result<()> {
    println!("\nOpen at the same time: proportional memory of each");
    for (peer, count) in programs(peers, plan) {
        churn(peer, VISITORS, 100.min(count))?;
        memory(peer, count)?;
    }
    Ok(())
}

/// Those that can be measured, and by how many sessions. websockify forks a process for each: a hundredth is enough
/// to know, and all of them would not fit.
fn programs<'a>(peers: &'a [Peer], plan: &Plan) -> impl Iterator<Item = (&'a Peer, usize)> {
    let sessions = plan.sessions;
    let count = move |peer: &Peer| if peer.name == "websockify" { sessions.div_ceil(100) } else { sessions };
    peers.iter().filter(|peer| peer.is_program()).map(move |peer| (peer, count(peer)))
}

/// Milliseconds of CPU for a ticket issued, and for a session opened with it, used once and closed.
fn churn(peer: &Peer, people: usize, count: usize) -> Result<(f64, f64)> {
    let clock = || peer.cpu_ever() * 1e3;
    let start = clock();
    let paths = each_of(peer, people, count, |visitor, number| visitor.path(number))?;
    thread::sleep(REST);
    let issued = clock();
    each_of(peer, people, count, |visitor, number| {
        let mut viewer = visitor.open(&paths[number])?;
        viewer.round_trip()?;
        viewer.leave()
    })?;
    thread::sleep(REST);
    let closed = clock();
    let count = count.max(1) as f64;
    Ok(((issued - start) / count, (closed - issued) / count))
}

/// Growth of proportional memory, all sessions open at the same time.
fn memory(peer: &Peer, count: usize) -> Result<()> {
    let each = |before: f64| (settled(peer) - before) / count as f64;
    let before = settled(peer);
    let mut viewers = crowd(peer, count)?;
    let idle = each(before);
    for some in viewers.chunks_mut(BUSY_AT_ONCE) {
        for viewer in &mut *some {
            viewer.ask(target::TIGHT, BUSY)?;
        }
        for viewer in some {
            viewer.skip(target::whole(target::TIGHT, BUSY))?;
            viewer.let_go();
        }
    }
    let after = each(before);
    drop(viewers);
    let gone = each(before);
    println!(
        "{:12} {count:5} sessions: {idle:.1} KiB while idle, {after:.1} after all were busy, {gone:.1} left when gone",
        peer.name
    );
    Ok(())
}

/// Proportional memory in KiB, once it does not fall or grow any more.
fn settled(peer: &Peer) -> f64 {
    let mut last = f64::INFINITY;
    for _ in 0..10 {
        thread::sleep(REST);
        let now = peer.pss() as f64;
        if (now - last).abs() < last / 200.0 {
            return now;
        }
        last = now;
    }
    last
}

fn crowd(peer: &Peer, count: usize) -> Result<Vec<Viewer>> {
    each_of(peer, VISITORS, count, |visitor, number| {
        let path = visitor.path(number)?;
        let mut viewer = visitor.open(&path)?;
        viewer.let_go();
        Ok(viewer)
    })
}

/// Does something `count` times, by so many people at the same time.
fn each_of<T: Send>(
    peer: &Peer,
    people: usize,
    count: usize,
    action: impl Fn(&mut Visitor<'_>, usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let person = |first| {
        let mut visitor = peer.visitor()?;
        (first..count).step_by(people).map(|number| action(&mut visitor, number)).collect::<Result<Vec<T>>>()
    };
    thread::scope(|scope| {
        let people: Vec<_> = (0..people).map(|number| scope.spawn(move || person(number))).collect();
        let mut all = Vec::with_capacity(count);
        for person in people {
            all.extend(person.join().map_err(|_| anyhow::anyhow!("a visitor panicked"))??);
        }
        Ok(all)
    })
}
