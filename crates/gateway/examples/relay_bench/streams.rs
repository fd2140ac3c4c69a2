//! Pictures without end: throughput, and CPU per gigabyte.

use crate::peer::Peer;
use crate::{Plan, median, paired, target};
use anyhow::Result;
use std::time::Instant;

pub(crate) fn measure(peers: &[Peer], plan: &Plan) -> Result<()> {
    for (kind, name) in target::KINDS {
        println!("\n{name}, {} MB, median of {} rounds", plan.bytes / 1_000_000, plan.rounds);
        let mut figures: Vec<(Vec<f64>, Vec<f64>)> = peers.iter().map(|_| Default::default()).collect();
        for _ in 0..plan.rounds {
            for (peer, (speeds, costs)) in peers.iter().zip(&mut figures) {
                let mut viewer = peer.connect()?;
                let (cpu, start) = (peer.cpu(), Instant::now());
                viewer.ask(*kind, plan.bytes)?;
                let bytes = target::whole(*kind, plan.bytes);
                viewer.skip(bytes)?;
                let gigabytes = bytes as f64 / 1e9;
                speeds.push(gigabytes / start.elapsed().as_secs_f64());
                costs.push((peer.cpu() - cpu) / gigabytes);
            }
        }
        let ours = figures.last().cloned().unwrap_or_default();
        println!(
            "{:12} {:>8} {:>10} {:>16} {:>14}",
            "peer", "GB/s", "CPU-s/GB", "gateway's speed", "gateway's CPU"
        );
        for (peer, (speeds, costs)) in peers.iter().zip(figures) {
            let speed = paired(&ours.0, &speeds, |a, b| a / b);
            let cost = paired(&ours.1, &costs, |a, b| a / b);
            let (speeds, costs) = (median(speeds), median(costs));
            println!("{:12} {speeds:8.2} {costs:10.3} {speed:15.2}x {cost:13.2}x", peer.name);
        }
    }
    Ok(())
}
