//! Whoever fails again and again is left alone.

use super::*;

const TEN: Duration = Duration::from_secs(10);

fn pause() -> Duration {
    TEN - Duration::from_millis(1)
}

/// Whether the only candidate may be asked; what comes of it.
fn ask(router: &Router, outcome: Result<(), Error>) -> bool {
    ask_for("o", router, outcome)
}

/// The same for an organization.
fn ask_for(org: &str, router: &Router, outcome: Result<(), Error>) -> bool {
    let mut attempts = router.attempts(&steps(&[&[("a", 1)]]), "k");
    let Some(attempt) = attempts.next_turn() else {
        return false;
    };
    match outcome {
        Ok(()) => attempt.succeed(),
        Err(error) => attempt.fail(&error, &OrgId::derive(&[org])),
    }
    true
}

fn broken() -> Router {
    let router = Router::default();
    for _ in 0..5 {
        assert!(ask(&router, Err(unavailable())));
    }
    router
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_are_too_many() {
    let router = Router::default();
    for _ in 0..4 {
        assert!(ask(&router, Err(unavailable())));
    }
    assert!(ask(&router, Ok(())));
    for _ in 0..5 {
        assert!(ask(&router, Err(unavailable())));
    }
    assert!(!ask(&router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn one_call_tries_and_the_others_wait_for_it() {
    let router = broken();
    tokio::time::advance(pause()).await;
    assert!(!ask(&router, Ok(())));
    tokio::time::advance(TEN - pause()).await;
    let route = steps(&[&[("a", 1)]]);
    let probe = router.attempts(&route, "k").next_turn().unwrap();
    assert!(!ask(&router, Ok(())));
    probe.succeed();
    assert!(ask(&router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn each_try_that_fails_doubles_the_pause_up_to_five_minutes() {
    let router = broken();
    let mut waited = TEN;
    for seconds in [20, 40, 80, 160, 300, 300] {
        tokio::time::advance(waited).await;
        assert!(ask(&router, Err(unavailable())));
        waited = Duration::from_secs(seconds);
        tokio::time::advance(waited - Duration::from_millis(1)).await;
        assert!(!ask(&router, Ok(())), "{seconds}");
        waited = Duration::from_millis(1);
    }
    tokio::time::advance(waited).await;
    assert!(ask(&router, Ok(())));
    for _ in 0..5 {
        assert!(ask(&router, Err(unavailable())));
    }
    tokio::time::advance(TEN).await;
    assert!(ask(&router, Ok(())), "a success begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_for_a_pause_has_it_at_once() {
    let router = Router::default();
    let retry_after = Some(Duration::from_secs(7));
    assert!(ask(&router, Err(Error::RateLimited { retry_after })));
    tokio::time::advance(Duration::from_millis(6_999)).await;
    assert!(!ask(&router, Ok(())));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(ask(&router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn faults_of_requests_do_not_count() {
    let router = Router::default();
    for _ in 0..20 {
        assert!(ask(&router, Err(refused())));
    }
}

fn late() -> Result<(), Error> {
    Err(Error::Timeout("late".into()))
}

#[tokio::test(start_paused = true)]
async fn slow_calls_of_one_organization_shut_nobody_out() {
    let router = Router::default();
    for _ in 0..20 {
        assert!(ask_for("slow", &router, late()));
    }
    assert!(ask_for("slow", &router, Err(unavailable())));
    assert!(ask_for("other", &router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn slow_calls_of_two_organizations_are_the_candidates_fault() {
    let router = Router::default();
    for org in ["one", "one", "one", "one", "other"] {
        assert!(ask_for(org, &router, late()));
    }
    assert!(!ask_for("third", &router, Ok(())));
    tokio::time::advance(TEN).await;
    assert!(ask_for("third", &router, Ok(())));
    for _ in 0..4 {
        assert!(ask_for("one", &router, late()));
    }
    assert!(ask_for("other", &router, Ok(())), "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_given_less_time_than_usual_say_nothing_of_the_candidate() {
    let router = Router::default();
    let ask = |org: &str, timeouts| {
        let mut route = steps(&[&[("a", 1)]]);
        route.timeouts = timeouts;
        let attempt = router.attempts(&route, "k").next_turn().unwrap();
        attempt.fail(&Error::Timeout("late".into()), &OrgId::derive(&[org]));
    };
    let usual = Timeouts::default();
    let mut hasty = [usual; 3];
    hasty[0].first_token_ms -= 1;
    hasty[1].between_chunks_ms -= 1;
    hasty[2].total_ms -= 1;
    for (timeouts, org) in hasty
        .into_iter()
        .flat_map(|one| [(one, "one"), (one, "other")])
    {
        (0..5).for_each(|_| ask(org, timeouts));
    }
    assert!(ask_for("third", &router, Ok(())));
    (0..4).for_each(|_| ask("one", usual));
    ask("other", usual);
    assert!(!ask_for("third", &router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_the_try_to_the_next() {
    let router = broken();
    tokio::time::advance(TEN).await;
    let route = steps(&[&[("a", 1)]]);
    drop(router.attempts(&route, "k").next_turn().unwrap());
    assert!(ask(&router, Ok(())));
    assert!(ask(&router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_on_what_was_before_changes_nothing() {
    let router = Router::default();
    let route = steps(&[&[("a", 1)]]);
    let late = router.attempts(&route, "k").next_turn().unwrap();
    for _ in 0..5 {
        assert!(ask(&router, Err(unavailable())));
    }
    late.succeed();
    assert!(!ask(&router, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn the_next_candidate_is_asked_instead_and_others_are_not_blamed() {
    let router = broken();
    let route = steps(&[&[("a", 1)], &[("b", 1)]]);
    assert_eq!(order_of(&router, &route, "k"), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_is_asked_all_the_same_when_nobody_else_can_be() {
    let router = broken();
    let route = steps(&[&[("a", 1)]]);
    let mut attempts = router.attempts(&route, "k");
    assert!(attempts.next_turn().is_none());
    let attempt = attempts.last_resort().unwrap();
    assert!(attempts.last_resort().is_none(), "once for a call");
    attempt.succeed();
    assert!(ask(&router, Ok(())), "it has answered");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_asked_somebody_else_needs_no_last_resort() {
    let router = broken();
    let route = steps(&[&[("a", 1)], &[("b", 1)]]);
    let mut attempts = router.attempts(&route, "k");
    assert_eq!(attempts.next_turn().unwrap().candidate().model, "b");
    assert!(attempts.next_turn().is_none() && attempts.last_resort().is_none());
}

/// Asks with somebody else's key; whether that is possible.
fn ask_with_foreign_key(router: &Router, outcome: Result<(), Error>) -> bool {
    let attempts = router.attempts(&steps(&[&[("a", 1)]]), "k");
    let mut attempts = attempts.with_foreign_keys([ProviderName::Openai].into());
    let Some(attempt) = attempts.next_turn() else {
        return false;
    };
    match outcome {
        Ok(()) => attempt.succeed(),
        Err(error) => attempt.fail(&error, &OrgId::derive(&["o"])),
    }
    true
}

#[tokio::test(start_paused = true)]
async fn calls_with_keys_of_others_say_nothing_of_ours_nor_ours_of_theirs() {
    let router = Router::default();
    let retry_after = Some(TEN);
    for _ in 0..5 {
        let limited = Error::RateLimited { retry_after };
        assert!(ask_with_foreign_key(&router, Err(limited)));
    }
    assert!(ask(&router, Ok(())));
    let router = broken();
    assert!(ask_with_foreign_key(&router, Ok(())));
    assert!(!ask(&router, Ok(())), "still left alone");
}

#[tokio::test]
async fn only_those_who_fail_are_kept_in_mind() {
    let router = Router::default();
    for number in 0..100 {
        let model = number.to_string();
        let route = Route::to(candidate(&model));
        let mut attempts = router.attempts(&route, "k");
        attempts
            .next_turn()
            .unwrap()
            .fail(&refused(), &OrgId::derive(&["o"]));
    }
    assert_eq!(router.breakers().len(), 0);
    assert!(ask(&router, Err(unavailable())));
    assert_eq!(router.breakers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_names_are_kept_in_mind_than_there_is_room_for() {
    let router = Router::default();
    let fail = |model: &str| {
        let mut attempts = router.attempts(&Route::to(candidate(model)), "k");
        let attempt = attempts.next_turn().unwrap();
        attempt.fail(&unavailable(), &OrgId::derive(&["o"]));
    };
    (0..MAX_BREAKERS + 10).for_each(|number| fail(&number.to_string()));
    assert_eq!(router.breakers().len(), MAX_BREAKERS);
    tokio::time::advance(MAX_PAUSE).await;
    fail("new");
    assert_eq!(router.breakers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_is_left_it_is_told_when_to_come_back() {
    let router = broken();
    tokio::time::advance(Duration::from_secs(4)).await;
    let mut attempts = router.attempts(&steps(&[&[("a", 1)]]), "k");
    assert!(attempts.next_turn().is_none());
    let error = attempts.none_left();
    assert!(
        matches!(&error, Error::Unavailable { retry_after: Some(left), .. } if *left == Duration::from_secs(6)),
        "{error:?}"
    );
}
