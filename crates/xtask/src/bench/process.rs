//! A process under measurement: started until it says that it is ready, its cost read from `/proc`, ended by id.
//!
//! Linux only, and it sends no load. Invariant: a process started here does not outlive its handle.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "for the load figures, which are to be written")
)]

use std::fs;
use std::io::{BufRead as _, BufReader, sink};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// How long a process may take until it is ready.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running process; it is killed, by its id, when this is dropped.
pub struct Running(Child);

/// What a process has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, in user and kernel, of all its threads.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
}

/// Starts `command` and waits for the first line on its stdout, which must be JSON (ports, tokens …).
///
/// Later lines are read and dropped, so that the process never blocks on a full pipe.
pub fn spawn_ready(mut command: Command) -> Result<(Running, Value)> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut running = Running(child.with_context(|| format!("{command:?} could not be started"))?);
    let stdout = running.0.stdout.take().context("stdout was not piped")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = stdout.read_line(&mut line).map(|_| line);
        // Nobody listens any more if the time was over: then the process is being killed.
        let _ = sender.send(read);
        let _ = std::io::copy(&mut stdout, &mut sink());
    });
    let line = receiver
        .recv_timeout(START_LIMIT)
        .context("the process was not ready in time")??;
    let ready = serde_json::from_str(&line).with_context(|| format!("`{}` is not JSON", line.trim_end()))?;
    Ok((running, ready))
}

impl Running {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What the process has cost so far.
    pub fn usage(&self) -> Result<Usage> {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.id());
            fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
        };
        let ticks = cpu_ticks(&read("stat")?).context("/proc/<pid>/stat is not as expected")?;
        let rss_bytes = rss_bytes(&read("status")?).context("/proc/<pid>/status holds no VmRSS")?;
        Ok(Usage {
            cpu: Duration::from_nanos(ticks * (1_000_000_000 / ticks_per_second()?)),
            rss_bytes,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ticks_per_second() -> Result<u64> {
    let output = Command::new("getconf")
        .arg("CLK_TCK")
        .output()
        .context("no getconf")?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// utime + stime: fields 14 and 15 (proc(5)). Field 2, the name in parentheses, may hold anything but its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests;
