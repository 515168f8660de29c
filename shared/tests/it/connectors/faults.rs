//! What every adapter makes of what services and networks do wrong.

use std::time::Duration;

use serde_json::json;
use shared::{
    connectors::Error,
    models::IntegrationService::{Gemini, Github, Google, Sendgrid, Stripe, Twilio},
    retry::Transient,
};
use tokio::{net::TcpListener, time::Instant};
use wiremock::ResponseTemplate;

use super::{
    fake::{against, break_off, hang_up, server, stay_silent},
    vendors::{CANARY, Operation, Vendor, assert_shows_no_secret, vendors},
};

/// Each service with what it is asked: whether that changes anything, and the operation.
fn operations() -> Vec<(Vendor, bool, Operation)> {
    let mut operations = Vec::new();
    for vendor in vendors() {
        operations.push((vendor.clone(), false, vendor.read.clone()));
        let write = vendor.write.clone();
        operations.extend(write.map(|operation| (vendor, true, operation)));
    }
    operations
}

/// A refusal as vendors write it, with what was sent quoted all over it.
fn refusal(status: u16) -> ResponseTemplate {
    let quoted = format!("No such thing: '{CANARY}'");
    ResponseTemplate::new(status).set_body_json(json!({
        "message": quoted,
        "error": { "message": quoted, "code": quoted, "type": quoted, "details": [{ "reason": quoted }] },
        "errors": [{ "message": quoted, "field": quoted, "code": quoted }],
        "detail": quoted,
    }))
}

async fn error_of(answer: ResponseTemplate, vendor: &Vendor, operation: &Operation) -> Error {
    let server = server(answer).await;
    let error = vendor.run(&server.uri(), operation).await.unwrap_err();
    assert_shows_no_secret(&error);
    let requests = server.received_requests().await.unwrap().len();
    assert_eq!(requests, 1, "{:?} is tried once", vendor.service);
    error
}

/// What a failure means after the service had the request.
fn assert_failed(error: &Error, writes: bool, place: &str) {
    if writes {
        assert!(matches!(error, Error::Unknown(_)), "{place}: {error:?}");
        assert!(error.may_have_happened());
    } else {
        assert!(matches!(error, Error::Unavailable(_)), "{place}: {error:?}");
        assert!(!error.may_have_happened());
    }
    assert!(error.is_transient());
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_nothing_that_was_sent() {
    for (vendor, writes, operation) in operations() {
        for status in [400, 401, 402, 403, 404, 409, 410, 413, 422] {
            let place = format!("{:?} {operation:?} {status}", vendor.service);
            let error = error_of(refusal(status), &vendor, &operation).await;
            match status {
                401 => assert!(matches!(error, Error::Unauthorized), "{place}"),
                // Of its codes for 403 some are no matter of rights.
                403 if vendor.service == Google => {
                    let reason = matches!(error, Error::Rejected { reason: None, .. });
                    assert!(reason, "{place}: {error:?}");
                }
                403 => assert!(matches!(error, Error::Forbidden { .. }), "{place}"),
                // Somebody else has the key at this moment.
                409 if vendor.service == Stripe => assert_failed(&error, writes, &place),
                _ => {
                    let Error::Rejected {
                        status: found,
                        reason,
                    } = error
                    else {
                        panic!("{place}: {error:?}");
                    };
                    assert_eq!((found, reason), (status, None), "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_limit_tells_when_to_come_back() {
    for (vendor, _, operation) in operations() {
        let silent = error_of(refusal(429), &vendor, &operation).await;
        assert!(
            matches!(silent, Error::RateLimited { retry_after: None }),
            "{silent:?}"
        );
        for (asked, seconds) in [("7", 7), ("Mon, 23 Nov 2026 22:00:30 GMT", 30)] {
            let answer = refusal(429)
                .insert_header("date", "Mon, 23 Nov 2026 22:00:00 GMT")
                .insert_header("retry-after", asked);
            let error = error_of(answer, &vendor, &operation).await;
            assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
        }
    }
}

#[tokio::test]
async fn a_service_that_fails_may_have_done_what_it_was_asked() {
    for (vendor, writes, operation) in operations() {
        for status in [408, 500, 502, 503, 504] {
            if status == 408 && vendor.service == Stripe {
                continue;
            }
            let error = error_of(refusal(status), &vendor, &operation).await;
            let place = format!("{:?} {status}", vendor.service);
            assert_failed(&error, writes, &place);
            assert_eq!(error.retry_after(), None);
        }
        let busy = refusal(503).insert_header("retry-after", "9");
        let error = error_of(busy, &vendor, &operation).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_open_what_was_done() {
    for (vendor, writes, operation) in operations() {
        let run = |url: String| {
            let (vendor, operation) = (vendor.clone(), operation.clone());
            async move { vendor.run(&url, &operation).await.unwrap_err() }
        };
        for error in [against(run, hang_up).await, against(run, break_off).await] {
            assert_failed(&error, writes, &format!("{:?}", vendor.service));
            assert_shows_no_secret(&error);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_30_seconds_and_leaves_open_what_was_done() {
    for (vendor, writes, operation) in operations() {
        let run = |url: String| {
            let (vendor, operation) = (vendor.clone(), operation.clone());
            async move { vendor.run(&url, &operation).await.unwrap_err() }
        };
        let started = Instant::now();
        let error = against(run, stay_silent).await;
        assert_failed(&error, writes, &format!("{:?}", vendor.service));
        let waited = started.elapsed();
        let longest = Duration::from_secs(30);
        assert!(
            (longest..longest + Duration::from_millis(10)).contains(&waited),
            "{waited:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_has_done_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for (vendor, _, operation) in operations() {
        let error = vendor.run(&base_url, &operation).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert_shows_no_secret(&error);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_as_such() {
    let garbage = ["<html>", "", "[1", "{\"data\": 7}", "null"];
    for (vendor, writes, operation) in operations() {
        // It has nothing to say but that it took the mail.
        if vendor.service == Sendgrid && writes {
            continue;
        }
        for body in garbage {
            // Google leaves out all that is empty, so that any object may be an answer.
            if vendor.service == Google && body.starts_with('{') {
                continue;
            }
            let answer = ResponseTemplate::new(200).set_body_string(body);
            let error = error_of(answer, &vendor, &operation).await;
            assert!(
                matches!(error, Error::Malformed),
                "{:?} {body}: {error:?}",
                vendor.service
            );
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_on() {
    for vendor in vendors() {
        let mut body = match vendor.service {
            Github => json!([]),
            Twilio => json!({ "status": "active" }),
            Sendgrid => json!({ "scopes": ["mail.send"] }),
            _ => json!({ "data": [] }),
        }
        .to_string();
        let whole = server(ResponseTemplate::new(200).set_body_string(body.clone())).await;
        vendor.run(&whole.uri(), &vendor.read).await.unwrap();
        body.push_str(&" ".repeat(11 * 1024 * 1024));
        let answer = ResponseTemplate::new(200).set_body_string(body);
        let error = error_of(answer, &vendor, &vendor.read).await;
        assert!(matches!(error, Error::Malformed), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_with_a_key() {
    let elsewhere = server(ResponseTemplate::new(200)).await;
    for (vendor, _, operation) in operations() {
        let moved = ResponseTemplate::new(302).insert_header("location", elsewhere.uri());
        let error = error_of(moved, &vendor, &operation).await;
        assert!(
            matches!(error, Error::Rejected { status: 302, .. }),
            "{error:?}"
        );
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn gemini_refuses_unknown_keys_in_a_way_of_its_own() {
    let vendors = vendors();
    let gemini = vendors
        .iter()
        .find(|vendor| vendor.service == Gemini)
        .unwrap();
    let answer = ResponseTemplate::new(400).set_body_json(json!({
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": { "service": "generativelanguage.googleapis.com" },
            }],
        }
    }));
    let error = error_of(answer, gemini, &Operation::Check).await;
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
}
