//! What is printed. Not what is looked at: that is tested on real backends. Invariant: no failing part is left out.

use curfew_core::PartName;

use super::*;

fn printed(report: &Report) -> String {
    let mut out = Vec::new();
    report.write(&mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_report_has_a_line_for_each_check() {
    let mut report = Report::default();
    report.add(Line::new(Status::Ok, "database", "SQLite, migrated"));
    report.add(Line::new(
        Status::Warn,
        "backend rds",
        "2 of 40 hosts do not answer",
    ));
    report.add(Line::new(Status::Fail, "backend citrix-eu", "401").fix("check client_secret"));
    assert_eq!(
        printed(&report),
        "ok    database           SQLite, migrated\n\
         warn  backend rds        2 of 40 hosts do not answer\n\
         fail  backend citrix-eu  401 — check client_secret\n"
    );
    assert_eq!(report.worst(), Status::Fail);
}

fn host(number: usize, answers: bool) -> PartHealth {
    let name = format!("TERM{number:04}");
    PartHealth {
        name: PartName::new(&name),
        outcome: if answers {
            Ok("agent 1.0 answers".to_owned())
        } else {
            Err(BackendError::new(
                BackendErrorKind::TimedOut,
                "the backend did not answer in time",
            ))
        },
    }
}

fn fleet(hosts: usize, silent: &[usize]) -> Report {
    let id = BackendId::parse("rds").expect("an id");
    let mut report = Report::default();
    let parts = (1..=hosts)
        .map(|number| host(number, !silent.contains(&number)))
        .collect();
    of_parts(&id, BackendKind::Windows, parts, &mut report);
    report
}

#[test]
fn of_many_hosts_only_the_failing_ones_are_listed() {
    let report = fleet(1000, &[7, 500, 1000]);
    let fix = "check the address, the network between, and the certificate authority (`ca`)";
    assert_eq!(
        printed(&report),
        format!(
            "fail  backend rds/TERM0007  the backend did not answer in time — {fix}\n\
             fail  backend rds/TERM0500  the backend did not answer in time — {fix}\n\
             fail  backend rds/TERM1000  the backend did not answer in time — {fix}\n\
             ok    backend rds           997 of 1000 hosts answer\n"
        )
    );
    assert_eq!(report.worst(), Status::Fail);
}

#[test]
fn few_hosts_are_listed_one_by_one() {
    let lines = fleet(20, &[]).0;
    assert_eq!(lines.len(), 20);
    assert_eq!(lines[19].name, "backend rds/TERM0020");
    assert_eq!(fleet(21, &[]).0.len(), 1, "one more, and they are summed up");
    assert_eq!(fleet(22, &[1, 2]).0.len(), 22, "20 good ones are still listed");
}
