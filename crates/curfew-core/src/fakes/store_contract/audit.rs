//! Records and their pages.
//!
//! Not here: what filters find (`filters`).

use super::operations::ODD;
use super::{Stores, sample};
use crate::{AuditAction, AuditFilter, AuditId, AuditPhase, AuditRecord, Keyset, Outcome, RecordPage, Sent};

async fn append(stores: &Stores, record: &AuditRecord) {
    stores.audit.audit_append(record).await.expect("a record");
}

async fn page(stores: &Stores, keyset: Keyset, limit: u32) -> RecordPage<AuditRecord> {
    let page = stores
        .audit
        .audit_page(&AuditFilter::default(), keyset, limit)
        .await;
    page.expect("a page")
}

fn place(record: &AuditRecord) -> Option<crate::store::Place> {
    Some((record.recorded_at, record.id.0))
}

pub(super) async fn a_record_comes_back_as_it_was(stores: &Stores) {
    let record = sample::record(&sample::operation(0), AuditPhase::Outcome, 1);
    append(stores, &record).await;
    assert_eq!(page(stores, Keyset::After(None), 9).await.rows, [record]);
}

pub(super) async fn a_bare_record_comes_back(stores: &Stores) {
    let record = sample::bare_record(AuditPhase::Read, AuditAction::AuditRead, 1);
    append(stores, &record).await;
    assert_eq!(page(stores, Keyset::After(None), 9).await.rows, [record]);
}

pub(super) async fn every_phase_action_and_outcome_is_kept(stores: &Stores) {
    let mut all = Vec::new();
    for (n, phase) in (0..).zip(AuditPhase::ALL) {
        let mut record = sample::record(&sample::operation(0), *phase, n);
        record.action = AuditAction::ALL[usize::try_from(n).unwrap_or(0) % AuditAction::ALL.len()];
        all.push(record);
    }
    for (n, outcome) in (100..).zip(Outcome::ALL) {
        let mut record = sample::record(&sample::operation(0), AuditPhase::Outcome, n);
        record.outcome = Some(*outcome);
        record.sent = Some(Sent::ALL[usize::try_from(n).unwrap_or(0) % Sent::ALL.len()]);
        record.latency_ms = Some(u64::try_from(n).unwrap_or(0) << 30);
        all.push(record);
    }
    for record in &all {
        append(stores, record).await;
    }
    all.reverse();
    assert_eq!(page(stores, Keyset::After(None), 99).await.rows, all);
}

pub(super) async fn appending_twice_is_appending_once(stores: &Stores) {
    let record = sample::record(&sample::operation(0), AuditPhase::Denied, 1);
    append(stores, &record).await;
    append(stores, &record).await;
    let count = stores.audit.audit_count(&AuditFilter::default()).await;
    assert_eq!(count.expect("a count"), 1);
}

pub(super) async fn odd_texts_come_back_in_records(stores: &Stores) {
    let mut all = Vec::new();
    for (n, text) in (0..).zip(ODD) {
        let mut record = sample::record(&sample::operation(0), AuditPhase::Denied, n);
        record.reason = Some((*text).to_owned());
        record.ticket = Some((*text).to_owned());
        record.session = Some((*text).to_owned());
        record.backend = Some((*text).to_owned());
        record.actor.subject = (*text).to_owned();
        record.params = Some(serde_json::json!({ "text": text, *text: [text] }));
        append(stores, &record).await;
        let filter = AuditFilter {
            ticket: Some((*text).to_owned()),
            actor: Some((*text).to_owned()),
            session: Some((*text).to_owned()),
            ..AuditFilter::default()
        };
        let found = stores.audit.audit_page(&filter, Keyset::After(None), 9).await;
        assert_eq!(found.expect("a page").rows, [record.clone()]);
        all.push(record);
    }
    all.reverse();
    assert_eq!(page(stores, Keyset::After(None), 99).await.rows, all);
}

pub(super) async fn pages_go_both_ways(stores: &Stores) {
    let mut all = Vec::new();
    for seconds in 0..7 {
        let record = sample::bare_record(AuditPhase::Read, AuditAction::AuditRead, seconds);
        append(stores, &record).await;
        all.insert(0, record);
    }
    let first = page(stores, Keyset::After(None), 3).await;
    assert_eq!((&first.rows[..], first.more), (&all[..3], true));
    let second = page(stores, Keyset::After(place(&all[2])), 3).await;
    assert_eq!((&second.rows[..], second.more), (&all[3..6], true));
    let third = page(stores, Keyset::After(place(&all[5])), 3).await;
    assert_eq!((&third.rows[..], third.more), (&all[6..], false));
    let none = page(stores, Keyset::After(place(&all[6])), 3).await;
    assert_eq!((&none.rows[..], none.more), (&[][..], false));

    let oldest = page(stores, Keyset::Before(None), 3).await;
    assert_eq!((&oldest.rows[..], oldest.more), (&all[4..], true));
    let newer = page(stores, Keyset::Before(place(&all[4])), 3).await;
    assert_eq!((&newer.rows[..], newer.more), (&all[1..4], true));
    let newest = page(stores, Keyset::Before(place(&all[1])), 3).await;
    assert_eq!((&newest.rows[..], newest.more), (&all[..1], false));
    let whole = page(stores, Keyset::After(None), 7).await;
    assert_eq!((&whole.rows[..], whole.more), (&all[..], false));
}

pub(super) async fn equal_instants_are_told_apart(stores: &Stores) {
    let mut all = Vec::new();
    for n in 0..6_u128 {
        let mut record = sample::bare_record(AuditPhase::Read, AuditAction::AuditRead, 0);
        // Bytes above 0x7f must sort as unsigned.
        record.id = AuditId(uuid::Uuid::from_u128(n << 125 | n));
        // Whole seconds are written shorter than microseconds, and must sort all the same.
        if n >= 4 {
            record.recorded_at += chrono::TimeDelta::microseconds(1_000_000 - 123_456);
        }
        append(stores, &record).await;
        all.insert(0, record);
    }
    all.sort_by_key(|record| std::cmp::Reverse(place(record)));
    let mut got = Vec::new();
    let mut from = None;
    loop {
        let page = page(stores, Keyset::After(from), 1).await;
        from = page.rows.last().and_then(place);
        got.extend(page.rows);
        if !page.more {
            break;
        }
    }
    assert_eq!(got, all);
    got.clear();
    from = None;
    loop {
        let page = page(stores, Keyset::Before(from), 1).await;
        from = page.rows.first().and_then(place);
        got.splice(0..0, page.rows);
        if !page.more {
            break;
        }
    }
    assert_eq!(got, all);
}

pub(super) async fn records_of_a_change_are_on_the_page(stores: &Stores) {
    let operation = sample::operation(0);
    let last = sample::ended(stores, &operation, crate::OperationState::Succeeded, 5).await;
    let rows = page(stores, Keyset::After(None), 9).await.rows;
    let phases: Vec<_> = rows.iter().map(|record| record.phase).collect();
    assert_eq!(
        phases,
        [AuditPhase::Outcome, AuditPhase::Attempt, AuditPhase::Intent]
    );
    assert_eq!(rows[0], last.records[0]);
    assert_eq!(rows[1].params, rows[2].params);
    assert_eq!(rows[1].target.as_ref(), Some(&operation.target));
}
