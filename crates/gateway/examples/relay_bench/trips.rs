//! A key goes to the target, a small update comes back: latency, and CPU per round trip.

use crate::peer::Peer;
use crate::{Plan, hundredth, median, paired};
use anyhow::Result;
use std::time::Instant;

/// Round trips before any is counted.
const WARM: usize = 200;

/// Microseconds, a figure for each round.
#[derive(Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
}

pub(crate) fn measure(peers: &[Peer], plan: &Plan) -> Result<()> {
    println!("\nKeyboard round trips, {} each, median of {} rounds", plan.trips, plan.rounds);
    let mut figures: Vec<Figures> = peers.iter().map(|_| Figures::default()).collect();
    for _ in 0..plan.rounds {
        for (peer, figures) in peers.iter().zip(&mut figures) {
            round(peer, plan.trips, figures)?;
        }
    }
    println!(
        "{:12} {:>8} {:>8} {:>10} {:>10} {:>12}",
        "peer", "p50 us", "p99 us", "added p50", "added p99", "CPU us/trip"
    );
    let Some(nothing) = figures.first() else { return Ok(()) };
    for (peer, Figures { p50, p99, cpu }) in peers.iter().zip(&figures) {
        let added = |with: &[f64], without: &[f64]| paired(with, without, |a, b| a - b);
        println!(
            "{:12} {:8.1} {:8.1} {:10.1} {:10.1} {:12.1}",
            peer.name,
            median(p50.clone()),
            median(p99.clone()),
            added(p50, &nothing.p50),
            added(p99, &nothing.p99),
            median(cpu.clone())
        );
    }
    Ok(())
}

fn round(peer: &Peer, trips: usize, figures: &mut Figures) -> Result<()> {
    let mut viewer = peer.connect()?;
    for _ in 0..WARM {
        viewer.round_trip()?;
    }
    let cpu = peer.cpu();
    let mut times = Vec::with_capacity(trips);
    for _ in 0..trips {
        let start = Instant::now();
        viewer.round_trip()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    figures.cpu.push((peer.cpu() - cpu) * 1e6 / trips as f64);
    figures.p50.push(hundredth(times.clone(), 50));
    figures.p99.push(hundredth(times, 99));
    Ok(())
}
