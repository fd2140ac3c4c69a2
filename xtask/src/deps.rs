//! `cargo xtask deps`: the tier rules of ARCHITECTURE.md, checked against cargo's own view.

use crate::shell::{cargo, output, root};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) fn deps() -> Result<()> {
    let table = table(&std::fs::read_to_string(root().join("ARCHITECTURE.md"))?);
    if table.is_empty() {
        bail!("ARCHITECTURE.md has no table of crates and what they may use");
    }
    let metadata: Value =
        serde_json::from_str(&output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?)?;
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(allowed) = table.get(name) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let is_ours = dependency["path"].is_string();
            let is_dev = dependency["kind"] == "dev";
            if is_ours && !is_dev && !allowed.iter().any(|a| a == used) {
                faults.push(format!("{name} uses {used}, which the table does not allow"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("{} crates keep to the table", table.len());
    Ok(())
}

/// Rows like "| `gateway` | T2 | `model` `rfb` | …": name, tier, allowed crates of ours.
fn table(text: &str) -> BTreeMap<String, Vec<String>> {
    let cells = |line: &str| line.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(cells)
        .filter(|c| {
            c.get(2).is_some_and(|tier| matches!(tier.as_str(), "T0" | "T1" | "T2" | "T3" | "T4" | "dev"))
        })
        .filter_map(|c| Some((names(c.get(1)?).first()?.clone(), names(c.get(3)?))))
        .collect()
}

fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
