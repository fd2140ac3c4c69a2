//! People log in while a hundred sessions stream: what a key's round trip and a picture take meanwhile.

use crate::peer::Peer;
use crate::{Plan, hundredth, median, target};
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Sessions that stream.
pub(crate) const STREAMS: usize = 100;
/// Each asks for a picture so often.
const PERIOD: Duration = Duration::from_secs(1);
/// As many as Argon2id judges at a time.
const AT_ONCE: usize = 2;
/// How long each half of a round lasts.
const LENGTH: Duration = Duration::from_secs(5);
/// Between two keys.
const PAUSE: Duration = Duration::from_millis(5);

/// Milliseconds of a round's half.
#[derive(Clone)]
struct Times {
    keys: Vec<f64>,
    pictures: Vec<f64>,
}

/// Which times of all.
type Which = fn(Times) -> Vec<f64>;

/// What is printed: of which times, at which hundredth.
const ROWS: [(&str, Which, usize); 4] = [
    ("key p50", |times| times.keys, 50),
    ("key p99", |times| times.keys, 99),
    ("picture p50", |times| times.pictures, 50),
    ("picture p99", |times| times.pictures, 99),
];

/// Only the gateway has people that log in.
pub(crate) fn measure(peers: &[Peer], plan: &Plan) -> Result<()> {
    let peer = peers.iter().find(|peer| peer.house().is_some()).context("the gateway is left out")?;
    let mut rounds = Vec::new();
    let mut logins = 0;
    for _ in 0..plan.rounds {
        let (without, _) = half(peer, 0)?;
        let (with, done) = half(peer, AT_ONCE)?;
        rounds.push([without, with]);
        logins += done;
    }
    let each = logins as f64 / (plan.rounds as f64 * LENGTH.as_secs_f64());
    println!(
        "\n{STREAMS} sessions with a picture a second each, {each:.1} log-ins a second, {AT_ONCE} at a time"
    );
    println!("{:14} {:>14} {:>10}", "ms", "no log-ins", "log-ins");
    for (name, of, at) in ROWS {
        let figure =
            |half: usize| median(rounds.iter().map(|round| hundredth(of(round[half].clone()), at)).collect());
        println!("{name:14} {:14.2} {:10.2}", figure(0), figure(1));
    }
    Ok(())
}

/// Streams and types for a while, with so many people logging in; how many did.
fn half(peer: &Peer, people: usize) -> Result<(Times, usize)> {
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let streams: Vec<_> =
            (1..=STREAMS).map(|number| scope.spawn(move || stream(peer, number, stop))).collect();
        let people: Vec<_> = (0..people).map(|_| scope.spawn(move || log_in(peer, stop))).collect();
        let keys = type_keys(peer);
        stop.store(true, Ordering::Relaxed);
        let mut times = Times { keys: keys?, pictures: Vec::new() };
        for stream in streams {
            times.pictures.extend(stream.join().map_err(|_| anyhow::anyhow!("a viewer panicked"))??);
        }
        let mut logins = 0;
        for person in people {
            logins += person.join().map_err(|_| anyhow::anyhow!("a person panicked"))??;
        }
        Ok((times, logins))
    })
}

/// How long each picture took from the wish to its last byte.
fn stream(peer: &Peer, number: usize, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut visitor = peer.visitor()?;
    let path = visitor.path(number)?;
    let mut viewer = visitor.open(&path)?;
    // Not all at the same moment.
    thread::sleep(PERIOD.mul_f64(number as f64 / STREAMS as f64));
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        viewer.ask(target::TIGHT, 1000)?;
        viewer.skip(target::whole(target::TIGHT, 1000))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        thread::sleep(PERIOD.saturating_sub(start.elapsed()));
    }
    viewer.leave()?;
    Ok(times)
}

fn type_keys(peer: &Peer) -> Result<Vec<f64>> {
    let mut viewer = peer.connect()?;
    // Until every stream has begun.
    thread::sleep(PERIOD);
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < LENGTH {
        let pressed = Instant::now();
        viewer.round_trip()?;
        times.push(pressed.elapsed().as_secs_f64() * 1e3);
        thread::sleep(PAUSE);
    }
    viewer.leave()?;
    Ok(times)
}

/// How often somebody could log in meanwhile.
fn log_in(peer: &Peer, stop: &AtomicBool) -> Result<usize> {
    let house = peer.house().context("nobody logs in there")?;
    let (mut line, mut done) = (house.line()?, 0);
    while !stop.load(Ordering::Relaxed) {
        house.log_in(&mut line)?;
        done += 1;
    }
    Ok(done)
}
