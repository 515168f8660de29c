//! Each action against each way in which Google can fail.

mod cases;
mod cutting_server;

use std::{net::TcpListener, time::Duration};

use serde_json::{Value, json};
use shared::{actions, connectors::Error, models::IntegrationService, retry::Transient};
use wiremock::ResponseTemplate;

use super::fake::{Google, failure, perform, scope_is_missing, unchecked, workspace};
use cases::{Case, cases};
use cutting_server::cutting_server;

#[test]
fn every_action_of_the_catalogue_has_a_case() {
    let google = actions::all().filter(|action| action.service == IntegrationService::Google);
    let names: Vec<_> = google.map(|action| action.name).collect();
    assert_eq!(
        names,
        cases().iter().map(|case| case.action).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_dead_token_is_told_apart() {
    let google = Google::answering([]).await;
    for case in cases() {
        let error = case.against(&google, failure(401, "authError")).await;
        assert!(
            matches!(error, Error::Unauthorized),
            "{}: {error}",
            case.action
        );
    }
}

#[tokio::test]
async fn a_quota_passes() {
    let google = Google::answering([]).await;
    let cloud = |body: Value| ResponseTemplate::new(403).set_body_json(json!({ "error": body }));
    let by_info = cloud(
        json!({ "status": "PERMISSION_DENIED", "details": [{ "reason": "RATE_LIMIT_EXCEEDED" }] }),
    );
    let by_status = cloud(json!({ "status": "RESOURCE_EXHAUSTED" }));
    for case in cases() {
        let rows = [
            failure(403, "rateLimitExceeded"),
            failure(403, "userRateLimitExceeded"),
            failure(403, "quotaExceeded"),
            failure(429, "rateLimitExceeded"),
            ResponseTemplate::new(429),
            by_info.clone(),
            by_status.clone(),
        ];
        for response in rows {
            let error = case.against(&google, response).await;
            let is_right = matches!(error, Error::RateLimited { retry_after: None });
            assert!(is_right, "{}: {error:?}", case.action);
            assert!(error.is_transient() && !error.may_have_happened());
        }
    }
}

#[tokio::test]
async fn a_quota_says_when_it_has_passed() {
    let google = Google::answering([]).await;
    let retry_info = json!({ "error": { "details": [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED" },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s" },
    ]}});
    let in_words = json!({ "error": {
        "message": "User-rate limit exceeded.  Retry after 2026-11-26T12:00:30.000Z (Mail sending)",
        "errors": [{ "reason": "userRateLimitExceeded" }],
    }});
    let date = ("date", "Thu, 26 Nov 2026 12:00:00 GMT");
    let rows = [
        (
            failure(429, "rateLimitExceeded").insert_header("retry-after", "7"),
            7_000,
        ),
        (
            failure(403, "userRateLimitExceeded").insert_header("retry-after", "7"),
            7_000,
        ),
        (ResponseTemplate::new(429).set_body_json(retry_info), 3_500),
        (
            ResponseTemplate::new(429)
                .set_body_json(in_words)
                .insert_header(date.0, date.1),
            30_000,
        ),
    ];
    let case = &cases()[0];
    for (response, millis) in rows {
        let error = case.against(&google, response).await;
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_millis(millis)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_scope_wants_consent_and_other_refusals_do_not() {
    let google = Google::answering([]).await;
    let bare = ResponseTemplate::new(403);
    for case in cases() {
        let error = case
            .against(&google, failure(403, "insufficientPermissions"))
            .await;
        assert!(
            matches!(
                error,
                Error::Forbidden {
                    needs_consent: true
                }
            ),
            "{}: {error:?}",
            case.action
        );
        let error = case.against(&google, scope_is_missing()).await;
        assert!(
            matches!(
                error,
                Error::Forbidden {
                    needs_consent: true
                }
            ),
            "{error:?}"
        );
        for response in [
            failure(403, "forbidden"),
            failure(403, "insufficientFilePermissions"),
            bare.clone(),
        ] {
            let error = case.against(&google, response).await;
            assert!(
                matches!(
                    error,
                    Error::Forbidden {
                        needs_consent: false
                    }
                ),
                "{error:?}"
            );
            assert!(!error.is_transient());
        }
    }
}

#[tokio::test]
async fn what_google_refuses_for_good_is_told_with_its_code() {
    let google = Google::answering([]).await;
    let rows = [
        (400, "invalid"),
        (403, "dailyLimitExceeded"),
        (403, "accessNotConfigured"),
        (403, "domainPolicy"),
        (404, "notFound"),
        (409, "conflict"),
        (410, "deleted"),
        (413, "uploadTooLarge"),
    ];
    for case in cases() {
        for (status, reason) in rows {
            // A conflict of ids is the one refusal that is no failure.
            if (case.action, status) == ("google.calendar.create", 409) {
                continue;
            }
            let error = case.against(&google, failure(status, reason)).await;
            let is_right = matches!(
                &error,
                Error::Rejected { status: told, reason: Some(code) } if (*told, code.as_str()) == (status, reason)
            );
            assert!(is_right, "{}: {error:?}", case.action);
            assert!(!error.is_transient() && !error.may_have_happened());
        }
    }
}

#[tokio::test]
async fn a_failure_of_google_is_unknown_where_something_may_have_happened() {
    let google = Google::answering([]).await;
    for case in cases() {
        for status in [500, 502, 503, 504] {
            let error = case.against(&google, failure(status, "backendError")).await;
            assert_outcome(&case, &error);
        }
    }
}

#[tokio::test]
async fn a_cut_connection_is_unknown_where_something_may_have_happened() {
    for case in cases() {
        let url = cutting_server(case.before.iter().map(|_| json!({})).collect());
        let workspace = workspace(&url);
        let error = perform(&workspace, case.action, &case.input)
            .await
            .unwrap_err();
        assert_outcome(&case, &error);
    }
}

#[tokio::test]
async fn a_google_that_is_not_there_has_done_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let workspace = workspace(&url);
    for case in cases() {
        let error = perform(&workspace, case.action, &case.input)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Unavailable(_)),
            "{}: {error:?}",
            case.action
        );
    }
}

#[tokio::test]
async fn garbage_is_malformed() {
    let google = Google::answering([]).await;
    let html = ResponseTemplate::new(200).set_body_raw("<html>", "text/html");
    let number = ResponseTemplate::new(200).set_body_json(json!(1));
    for case in cases() {
        for response in [html.clone(), number.clone(), ResponseTemplate::new(200)] {
            let error = case.against(&google, response).await;
            assert!(
                matches!(error, Error::Malformed),
                "{}: {error:?}",
                case.action
            );
        }
        let error = case
            .against(
                &google,
                ResponseTemplate::new(404).set_body_raw("<html>", "text/html"),
            )
            .await;
        assert!(
            matches!(
                error,
                Error::Rejected {
                    status: 404,
                    reason: None
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn fields_that_are_new_or_missing_do_no_harm() {
    let google = Google::answering([]).await;
    for case in cases() {
        let known = json!({ "id": "x", "later": { "a": [1] }, "kind": null, "status": "LATER" });
        let response = ResponseTemplate::new(200).set_body_json(known);
        let last = unchecked(case.method, response);
        google.script(case.answers_before().chain([last]));
        google
            .perform(case.action, case.input.clone())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn no_error_repeats_an_answer_or_a_token() {
    let google = Google::answering([]).await;
    for case in cases() {
        for status in [400, 401, 403, 404, 429, 500] {
            let error = case
                .against(&google, failure(status, "canary message"))
                .await;
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

/// With one scope of each group it is Google's turn, whichever it is; without a group Google refuses.
#[tokio::test]
async fn an_action_needs_the_scopes_of_the_catalogue_and_no_more() {
    for case in cases() {
        let groups = actions::find(case.action).unwrap().scopes;
        for (position, group) in groups.iter().enumerate() {
            let mut others: Vec<_> = groups.iter().map(|group| group[0]).collect();
            others.remove(position);
            for scope in *group {
                let scopes = [others.as_slice(), &[scope]].concat();
                let google = Google::with_scopes(&scopes, []).await;
                let error = case.against(&google, failure(500, "backendError")).await;
                assert_outcome(&case, &error);
                google.assert_no_problems();
            }
            let google = Google::with_scopes(&others, case.answers_before()).await;
            let error = perform(google.workspace(), case.action, &case.input)
                .await
                .unwrap_err();
            let is_right = matches!(
                error,
                Error::Forbidden {
                    needs_consent: true
                }
            );
            assert!(is_right, "{}: {error:?}", case.action);
            assert!(google.problems().is_empty());
        }
    }
}

#[track_caller]
fn assert_outcome(case: &Case, error: &Error) {
    let is_right = match case.is_read {
        true => matches!(error, Error::Unavailable(_)),
        false => matches!(error, Error::Unknown(_)),
    };
    assert!(is_right, "{}: {error:?}", case.action);
    assert_eq!(error.may_have_happened(), !case.is_read);
}
