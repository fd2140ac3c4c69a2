//! `cargo xtask ci`: what must hold before a change lands, with minutes per step.

use crate::shell::{cargo, run, target};
use crate::{coverage, deny, deps, openapi, source, test, ui};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A run over this is a defect of the project, long before a machine's own limit.
const LIMIT: Duration = Duration::from_secs(50 * 60);

pub(crate) fn ci(after_test: bool) -> Result<()> {
    let mut steps = Steps::resume(after_test);
    if !after_test {
        steps.step("test", || test::test(true))?;
    }
    steps.step("coverage", coverage::check)?;
    steps.step("format", || run(cargo().args(["fmt", "--all", "--check"])))?;
    steps.step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.step("interface lint", || run(&mut ui::npm(&["run", "lint"])))?;
    steps.step("interface types", || run(&mut ui::npm(&["run", "check"])))?;
    steps.step("bundle budget", || run(&mut ui::npm(&["run", "budget"])))?;
    steps.step("deps", deps::deps)?;
    steps.step("source", source::check)?;
    steps.step("openapi", || openapi::openapi(false))?;
    steps.step("licences and bans", deny::deny)?;
    steps.finish()
}

/// Names and durations of what ran.
struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// After a separate test run its minutes count too.
    fn resume(after_test: bool) -> Steps {
        let stamp = after_test.then(|| std::fs::read_to_string(target().join("test.seconds")).ok()).flatten();
        let seconds = stamp.and_then(|text| text.trim().parse().ok());
        Steps { done: seconds.map(|s| ("test".to_owned(), Duration::from_secs(s))).into_iter().collect() }
    }

    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("== {name}");
        let start = Instant::now();
        work()?;
        self.done.push((name.to_owned(), start.elapsed()));
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let total: Duration = self.done.iter().map(|(_, d)| *d).sum();
        println!("== minutes per step");
        for (name, duration) in &self.done {
            println!("{:>6.1}  {name}", duration.as_secs_f64() / 60.0);
        }
        println!("{:>6.1}  in all", total.as_secs_f64() / 60.0);
        if total > LIMIT {
            bail!("the run took over {} minutes", LIMIT.as_secs() / 60);
        }
        println!("{} passed, 0 failed", self.done.len());
        Ok(())
    }
}
