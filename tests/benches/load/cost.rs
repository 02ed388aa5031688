//! What a process costs, and what it says of itself.
//!
//! Not a profiler. Invariant: processor time and memory are the kernel's figures, never estimates.

use std::fs;
use std::time::Duration;

use curfew_tests::{Client, Serve};
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// What a process has cost so far.
pub struct Cost {
    /// Processor time, user and system.
    pub cpu: Duration,
    /// Resident memory in KiB.
    pub resident: u64,
    /// The most it ever was, in KiB.
    pub peak: u64,
}

/// Reads `/proc`: utime and stime in ticks of 10 ms (proc(5); `getconf CLK_TCK` is 100 on Linux), VmRSS and VmHWM in KiB.
pub fn cost(pid: u32) -> Cost {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let status = read("status");
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|kib| kib.parse().ok()).unwrap_or(0)
    };
    Cost {
        cpu: Duration::from_millis(ticks * 10),
        resident: kib("VmRSS:"),
        peak: kib("VmHWM:"),
    }
}

/// KiB as MiB.
pub fn mib(kib: u64) -> u64 {
    kib / 1024
}

/// A metric of the gateway by its line's beginning.
pub async fn metric(serve: &Serve, name: &str) -> f64 {
    let text = serve.ops("/metrics").await.text;
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// What a process spends while nothing is asked of it.
pub async fn steady(pid: u32, watch: Duration) -> f64 {
    let before = cost(pid);
    sleep(watch).await;
    let after = cost(pid);
    (after.cpu - before.cpu).as_secs_f64() / watch.as_secs_f64()
}

/// Processor time of one request and its median time on the wall; `steady` is what the process would have spent anyway.
pub async fn of_a_request(
    serve: &Serve,
    who: &Client,
    document: &str,
    variables: Value,
    times: u32,
    steady: f64,
) -> (Duration, Duration, usize) {
    let pid = serve.process.id();
    let bytes = who.query(document, variables.clone()).await.text.len();
    let (before, start) = (cost(pid), Instant::now());
    let mut walls = Vec::with_capacity(times as usize);
    for _ in 0..times {
        let begun = Instant::now();
        let reply = who.query(document, variables.clone()).await;
        walls.push(begun.elapsed());
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.body["errors"].is_null(), "{}", reply.text);
    }
    let (after, wall) = (cost(pid), start.elapsed());
    let idle = Duration::from_secs_f64(steady * wall.as_secs_f64());
    walls.sort_unstable();
    let spent = (after.cpu - before.cpu).saturating_sub(idle);
    (spent / times, walls[walls.len() / 2], bytes)
}
