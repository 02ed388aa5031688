//! Reading `/proc`, and a real process from its first line to its end.

use std::path::Path;

use super::*;

#[test]
fn processor_time_is_read_behind_a_hostile_name() {
    let stat =
        "42 (a) b) S 1 42 42 0 -1 4194560 900 0 0 0 17 4 0 0 20 0 9 0 1234 999 55 18446744073709551615";
    assert_eq!(cpu_ticks(stat), Some(21));
    assert_eq!(cpu_ticks("42 (a) S 1"), None);
}

#[test]
fn resident_memory_is_in_bytes() {
    assert_eq!(
        rss_bytes("VmPeak:\t  9 kB\nVmRSS:\t    1500 kB\n"),
        Some(1_536_000)
    );
    assert_eq!(rss_bytes("Name:\tx\n"), None);
}

#[test]
fn a_process_is_ready_with_its_first_line_and_gone_with_its_handle() {
    let mut command = Command::new("sh");
    command.args(["-c", r#"echo '{"port":7}'; echo later; exec sleep 60"#]);
    let (running, ready) = spawn_ready(command).expect("ready");
    assert_eq!(ready["port"], 7);
    assert!(running.usage().expect("a usage").rss_bytes > 0);

    let entry = format!("/proc/{}", running.id());
    drop(running);
    assert!(!Path::new(&entry).exists());
}

#[test]
fn a_process_that_ends_first_is_an_error() {
    assert!(spawn_ready(Command::new("true")).is_err());
}
