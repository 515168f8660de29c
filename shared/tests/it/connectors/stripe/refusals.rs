use serde_json::{Value, json};
use shared::connectors::Error;
use wiremock::ResponseTemplate;

use super::{
    super::fake::{ok, server},
    run,
};

#[tokio::test]
async fn what_is_no_id_of_stripes_gets_into_no_path() {
    let server = server(ResponseTemplate::new(200)).await;
    let ids = [
        "in_",
        "in_1/../../customers",
        "in_1?x=1",
        "cus_1",
        "in_é",
        "in_1 ",
        "in_%2e",
    ];
    let long = format!("in_{}", "1".repeat(300));
    for id in ids.into_iter().chain([long.as_str()]) {
        let error = run(&server, "stripe.invoices.send", json!({ "invoice": id })).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == "invoice"),
            "{error:?}"
        );
    }
    for (action, input, wrong) in [
        (
            "stripe.charges.list",
            json!({ "customer": "x" }),
            "customer",
        ),
        (
            "stripe.charges.refund",
            json!({ "charge": "pi_1" }),
            "charge",
        ),
        (
            "stripe.invoices.create",
            json!({ "customer": "cus_1", "amount": 1, "currency": "e/r", "item": "d" }),
            "currency",
        ),
    ] {
        let error = run(&server, action, input).await.unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == wrong),
            "{error:?}"
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code_or_kind() {
    let rows = [
        (
            json!({ "type": "card_error", "code": "card_declined" }),
            Some("card_declined"),
        ),
        (
            json!({ "type": "invalid_request_error" }),
            Some("invalid_request_error"),
        ),
        (json!({ "type": "new kind of error" }), None),
        (json!({}), None),
    ];
    for (error, expected) in rows {
        let body = json!({ "error": error });
        let server = server(ResponseTemplate::new(402).set_body_json(body)).await;
        let result = run(
            &server,
            "stripe.charges.refund",
            json!({ "charge": "ch_1" }),
        )
        .await;
        let Err(Error::Rejected {
            status: 402,
            reason,
        }) = result
        else {
            panic!("{result:?}");
        };
        assert_eq!(reason.as_deref(), expected);
    }
}

#[tokio::test]
async fn stripes_own_word_on_a_repeat_counts() {
    let refund = json!({ "charge": "ch_1" });
    let answer = |status, word: &str| {
        ResponseTemplate::new(status).insert_header("stripe-should-retry", word)
    };
    for (status, word, expected) in [
        (400, "true", "unknown"),
        (409, "false", "rejected"),
        (429, "false", "rejected"),
        (429, "true", "limited"),
        (500, "false", "unknown"),
        (500, "true", "unknown"),
    ] {
        let server = server(answer(status, word)).await;
        let error = run(&server, "stripe.charges.refund", refund.clone())
            .await
            .unwrap_err();
        let found = match error {
            Error::Unknown(_) => "unknown",
            Error::Rejected { .. } => "rejected",
            Error::RateLimited { .. } => "limited",
            _ => "other",
        };
        assert_eq!(found, expected, "{status} {word}");
    }
}

#[tokio::test]
async fn what_stripe_adds_or_leaves_out_disturbs_nobody() {
    let bare = json!({
        "id": "ch_1", "amount": 1, "currency": "eur", "status": "unheard_of", "created": 1,
        "added_in_2027": { "a": [1] }, "customer": null,
    });
    let server = server(ok(&json!({ "data": [bare] }))).await;
    let found = run(&server, "stripe.charges.list", json!({}))
        .await
        .unwrap();
    assert_eq!(found["charges"][0]["status"], "unheard_of");
    assert_eq!(found["charges"][0]["customer"], Value::Null);
}
