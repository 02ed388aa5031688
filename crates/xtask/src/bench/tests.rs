//! Which benchmark a name means.

use super::*;

fn known() -> Vec<Criterion> {
    vec![Criterion {
        package: "curfew-app".into(),
        target: "page".into(),
    }]
}

#[test]
fn without_names_all_criterion_benchmarks_run_and_no_load_figure() {
    let (benchmarks, figures) = choose(&[], &known()).expect("a choice");
    assert_eq!(benchmarks, known());
    assert!(figures.is_empty());
}

#[test]
fn a_name_means_a_benchmark_or_a_figure() {
    let (benchmarks, figures) = choose(&["acts".into(), "page".into()], &known()).expect("a choice");
    assert_eq!((benchmarks.len(), figures.len()), (1, 1));
    assert_eq!(figures[0], "acts");
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = choose(&["pages".into()], &known())
        .expect_err("an error")
        .to_string();
    assert_eq!(
        error,
        "there is no benchmark `pages`; there are: page, listing, acts, fleet, estate"
    );
}
