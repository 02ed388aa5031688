//! The switch by itself; what each simulator makes of it is tested there.

use serde_json::json;

use super::{Chaos, Flap, Flapper, Order, Switch};

#[test]
fn a_chaos_is_one_word_everywhere() {
    for chaos in Chaos::ALL {
        assert_eq!(chaos.to_string().parse(), Ok(chaos));
        assert_eq!(json!(chaos), json!(chaos.as_str()));
    }
    let refused = "SLOW".parse::<Chaos>().map_err(|error| error.to_string());
    assert_eq!(
        refused,
        Err("`SLOW` is no chaos; there are: slow, hang, flap, ghost".to_owned())
    );
}

#[test]
fn only_an_outright_null_ends_a_chaos() {
    let read = |body| serde_json::from_value::<Order>(body).map(|order| order.chaos);
    assert_eq!(
        read(json!({ "chaos": "flap" })).expect("an order"),
        Some(Chaos::Flap)
    );
    assert_eq!(read(json!({ "chaos": null })).expect("an order"), None);
    assert!(read(json!({})).is_err());
    assert!(read(json!({ "chaos": "noise" })).is_err());
}

#[tokio::test]
async fn what_waits_for_the_end_of_a_chaos_meets_the_end_of_that_one() {
    let switch = Switch::default();
    assert!(switch.present().is_none());
    switch.set(Some(Chaos::Hang));
    let first = switch.present().expect("a chaos");
    switch.set(Some(Chaos::Slow));
    first.end().await;
    let second = switch.present().expect("a chaos");
    switch.set(Some(Chaos::Slow));
    assert!(!second.ended.is_cancelled());
    switch.set(None);
    second.end().await;
    assert_eq!(switch.get(), None);
}

#[test]
fn every_other_request_fails_in_one_of_two_ways() {
    let flapper = Flapper::default();
    let met: Vec<Flap> = (0..5).map(|_| flapper.next()).collect();
    use Flap::{BadGateway, Closes, Passes};
    assert_eq!(met, [BadGateway, Passes, Closes, Passes, BadGateway]);
}
