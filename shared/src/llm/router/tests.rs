use serde_json::{Value, json};

use super::*;
use crate::llm::providers::ProviderName;

mod breaking;
mod streams;

fn candidate(model: &str) -> Candidate {
    Candidate {
        provider: ProviderName::Openai,
        model: model.to_owned(),
    }
}

fn route(value: Value) -> Route {
    serde_json::from_value(value).unwrap()
}

/// Steps of candidates with weights.
fn steps(steps: &[&[(&str, u32)]]) -> Route {
    let steps = steps.iter().map(|step| {
        let candidates = step.iter().map(
            |(model, weight)| json!({ "provider": "openai", "model": model, "weight": weight }),
        );
        json!({ "candidates": candidates.collect::<Vec<_>>() })
    });
    route(json!({ "steps": steps.collect::<Vec<_>>() }))
}

fn unavailable() -> Error {
    Error::Unavailable {
        retry_after: None,
        source: "down".into(),
    }
}

fn refused() -> Error {
    let code = "invalid".to_owned();
    Error::InvalidRequest { code }
}

/// The models in the order in which they are asked.
fn order_of(router: &Router, route: &Route, key: &str) -> Vec<String> {
    let mut attempts = router.attempts(route, key);
    let mut models = Vec::new();
    while let Some(attempt) = attempts.next_turn() {
        models.push(attempt.candidate().model.clone());
        attempt.succeed();
    }
    models
}

#[test]
fn steps_are_asked_in_order_and_each_candidate_once() {
    let route = steps(&[&[("a", 1), ("b", 1)], &[("c", 1)], &[("d", 5), ("e", 1)]]);
    let router = Router::default();
    for number in 0..50 {
        let order = order_of(&router, &route, &number.to_string());
        let mut sorted = order.clone();
        for step in [0..2, 2..3, 3..5] {
            sorted[step].sort();
        }
        assert_eq!(sorted, ["a", "b", "c", "d", "e"], "{order:?}");
    }
}

#[test]
fn a_key_comes_to_the_same_order() {
    let route = steps(&[&[("a", 1), ("b", 2), ("c", 3)]]);
    let (one, other) = (Router::default(), Router::default());
    for number in 0..50 {
        let key = number.to_string();
        assert_eq!(order_of(&one, &route, &key), order_of(&other, &route, &key));
    }
}

#[test]
fn candidates_have_their_share_of_the_calls() {
    let route = steps(&[&[("a", 7), ("b", 2), ("c", 1)]]);
    let router = Router::default();
    let firsts = (0..10_000).map(|number| order_of(&router, &route, &number.to_string()).remove(0));
    let mut counts = HashMap::new();
    firsts.for_each(|first| *counts.entry(first).or_insert(0_i32) += 1);
    // Five standard deviations.
    for (model, share, tolerance) in [("a", 7_000, 230), ("b", 2_000, 200), ("c", 1_000, 150)] {
        let count = counts[model];
        assert!((count - share).abs() < tolerance, "{model}: {count}");
    }
}

#[test]
fn what_would_be_refused_again_is_asked_of_nobody_else() {
    let attempts = Router::default().attempts(&steps(&[&[("a", 1)]]), "k");
    let malformed = Error::Malformed("garbage".into());
    for error in [unavailable(), malformed, Error::Unauthenticated] {
        assert!(attempts.goes_on_after(&error), "{error}");
    }
    assert!(!attempts.goes_on_after(&refused()));
}

#[test]
fn a_route_says_after_what_somebody_else_is_asked() {
    let candidate = json!({ "provider": "anthropic", "model": "m" });
    let route = route(json!({
        "steps": [{ "candidates": [candidate] }],
        "fallbackOn": ["timeout"],
    }));
    let attempts = Router::default().attempts(&route, "k");
    assert!(attempts.goes_on_after(&Error::Timeout("late".into())));
    assert!(!attempts.goes_on_after(&unavailable()));
}

#[test]
fn a_route_that_cannot_be_names_its_field() {
    let good = || json!({ "provider": "openai", "model": "m" });
    let many = vec![good(); 9];
    for (value, field) in [
        (json!({ "steps": [] }), "steps"),
        (
            json!({ "steps": vec![json!({ "candidates": [good()] }); 9] }),
            "steps",
        ),
        (
            json!({ "steps": [{ "candidates": [] }] }),
            "steps[0].candidates",
        ),
        (
            json!({ "steps": [{ "candidates": many }] }),
            "steps[0].candidates",
        ),
        (
            json!({ "steps": [{ "candidates": [good()] }, { "candidates": [good()] }] }),
            "steps[1].candidates[0]",
        ),
        (
            json!({ "steps": [{ "candidates": [
                { "provider": "openai", "model": "m", "weight": 0 },
            ] }] }),
            "steps[0].candidates[0].weight",
        ),
        (
            json!({ "steps": [{ "candidates": [good()] }], "fallbackOn": ["invalid_request"] }),
            "fallbackOn",
        ),
        (
            json!({ "steps": [{ "candidates": [good()] }], "timeouts": { "totalMs": 0 } }),
            "timeouts.totalMs",
        ),
    ] {
        assert_eq!(route(value).check().unwrap_err().field, field);
    }
    let good = route(json!({ "steps": [{ "candidates": [good()] }] }));
    good.check().unwrap();
    assert_eq!(good, Route::to(candidate("m")));
}
