//! The contract of [`ActionStore`] and [`AuditLog`]: one suite for every store there is.
//!
//! Not here: what only one database can do (triggers, migrations, lost connections); its own crate tests that.
//! Invariant: a check knows nothing but the ports; whatever passes can stand in for whatever else passes.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::{ActionStore, AuditLog};

mod audit;
mod course;
mod filters;
mod leases;
mod operations;
pub mod sample;

/// A store without content, for one check.
pub struct Stores {
    /// Operations and their records.
    pub actions: Arc<dyn ActionStore>,
    /// The audit log of the same store.
    pub audit: Arc<dyn AuditLog>,
    /// What must live as long as the check: a directory, a server's database.
    pub keep: Box<dyn Any>,
}

/// A lease that does not run out during a check.
const LONG: Duration = Duration::from_secs(600);

/// A lease that has run out when it is given.
const NONE: Duration = Duration::ZERO;

macro_rules! checks {
    ($new:ident, $lease:expr, $($module:ident: [$($check:ident),+ $(,)?]),+ $(,)?) => {
        $($({
            // A failed assertion shows what was printed: the last line names the check.
            eprintln!("contract: {}", stringify!($check));
            let stores = $new($lease).await;
            Box::pin($module::$check(&stores)).await;
            drop(stores);
        })+)+
    };
}

/// Runs every check, each on a store of its own, which `new` makes with a given length of leases.
///
/// # Panics
/// If a check fails.
pub async fn run(new: impl AsyncFn(Duration) -> Stores) {
    checks!(new, LONG,
        operations: [
            an_operation_comes_back_as_it_was,
            every_verb_state_and_reason_is_kept,
            opening_twice_is_opening_once,
            many_open_at_once,
            an_unknown_operation_is_none,
            odd_texts_come_back,
            a_nul_does_not_get_in_the_way,
            no_more_than_two_records_go_with_a_change,
            what_ended_unknown_is_settled_once,
            only_what_can_be_read_is_unresolved,
            what_is_not_unknown_is_not_settled,
        ],
        course: [
            a_course_advances_arrow_by_arrow,
            an_arrow_that_changes_nothing_leaves_no_event,
            an_arrow_must_start_where_the_operation_stands,
            the_end_is_final,
            finishing_twice_is_finishing_once,
            another_end_is_refused,
            an_end_carries_exactly_one_outcome,
            an_outcome_must_be_whole,
            open_operations_are_counted,
        ],
        leases: [
            a_held_operation_is_not_claimed,
            a_released_operation_is_claimed_at_once,
            a_finished_operation_is_not_claimed,
            the_oldest_are_claimed_first,
            two_claimers_never_get_the_same_operation,
            a_renewed_lease_lasts,
            an_old_fence_is_refused,
            another_owner_is_refused,
            an_operation_that_has_gone_over_is_not_opened_again,
        ],
        audit: [
            a_record_comes_back_as_it_was,
            a_bare_record_comes_back,
            every_phase_action_and_outcome_is_kept,
            appending_twice_is_appending_once,
            odd_texts_come_back_in_records,
            pages_go_both_ways,
            equal_instants_are_told_apart,
            records_of_a_change_are_on_the_page,
        ],
        filters: [
            records_are_found_by_each_field,
            records_are_found_by_user_and_machine,
            texts_are_compared_whole,
            an_empty_list_finds_nothing,
            records_are_found_by_all_fields_together,
            operations_are_found_by_each_field,
            operations_are_paged_both_ways,
        ],
    );
    checks!(new, NONE,
        leases: [an_expired_operation_is_claimed, an_expired_lease_holds_until_somebody_claims],
    );
}
