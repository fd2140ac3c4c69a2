//! What the kernel knows about a proxy's processes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Ten thousand connections need as many descriptors.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // as far as it goes: what is missing is said when the connections are made
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// A process and its descendants.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        for task in entries(&format!("/proc/{parent}/task")) {
            let children = std::fs::read_to_string(format!("/proc/{parent}/task/{task}/children"));
            found.extend(
                children.unwrap_or_default().split_whitespace().filter_map(|c| c.parse::<u32>().ok()),
            );
        }
    }
    found
}

fn entries(directory: &str) -> Vec<String> {
    let list = std::fs::read_dir(directory).into_iter().flatten().flatten();
    list.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nanoseconds on a CPU of all threads that are there now, in seconds: exact, for a stretch in which none ends.
pub(crate) fn cpu_now(pid: u32) -> f64 {
    let task = |task: String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).unwrap_or_default();
        stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0)
    };
    entries(&format!("/proc/{pid}/task")).into_iter().map(task).sum::<f64>() / 1e9
}

/// User and system time with that of ended threads and children, in seconds; a tick is 10 ms.
pub(crate) fn cpu_ever(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().skip(11).take(4).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Proportional memory in KiB.
pub(crate) fn pss(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
