//! Stripe's calls, against its types and against what its own library sends.

mod refusals;

use serde_json::{Map, Value, json};
use shared::connectors::Error;
use wiremock::{MockServer, Request, ResponseTemplate, matchers};

use super::{
    fake::{answer, calls, form, ok, query, server},
    vendors::{Vendor, connect, key, perform, vendors},
};
use crate::contract::{check_stripe, stripe_fixture, stripe_requests};

async fn run(server: &MockServer, action: &str, input: Value) -> Result<Value, Error> {
    perform(&connect(&server.uri()), &key("sk_test_"), action, &input).await
}

fn stripe() -> Vendor {
    let service = shared::models::IntegrationService::Stripe;
    vendors()
        .into_iter()
        .find(|vendor| vendor.service == service)
        .unwrap()
}

/// An object of a fixture with some fields of its own, checked against Stripe's types.
fn object(fixture: &str, definition: &str, fields: Value) -> Value {
    let mut object = stripe_fixture(fixture);
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    check_stripe(definition, &object).unwrap();
    object
}

fn list(definition: &str, data: Vec<Value>, has_more: bool) -> Value {
    let list = json!({ "object": "list", "data": data, "has_more": has_more, "url": "/v1/x" });
    check_stripe(definition, &list).unwrap();
    list
}

/// A form as Stripe's types have it: numbers and flags are texts in it.
fn typed(fields: &Map<String, Value>) -> Value {
    let typed = |text: &str| match text {
        "true" | "false" => json!(text == "true"),
        text => text
            .parse::<u64>()
            .map_or(json!(text), |number| json!(number)),
    };
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.clone(), typed(value.as_str().unwrap())))
        .collect()
}

/// Asserts that a request is the one that Stripe's own library sends for the same call, its key
/// apart.
fn assert_golden(sent: &Request, call: &str, params: &Value) {
    let requests = stripe_requests();
    let golden = requests
        .iter()
        .find(|golden| golden["call"] == call && golden["params"] == *params)
        .unwrap();
    let (path, golden_query) = match golden["path"].as_str().unwrap().split_once('?') {
        Some((path, query)) => (path, query),
        None => (golden["path"].as_str().unwrap(), ""),
    };
    let pairs = |text: &[u8]| {
        let mut pairs: Vec<_> = url::form_urlencoded::parse(text).into_owned().collect();
        pairs.sort();
        pairs
    };
    assert_eq!(sent.method.as_str(), golden["http"]);
    assert_eq!(sent.url.path(), path);
    let sent_query = sent.url.query().unwrap_or_default();
    assert_eq!(pairs(sent_query.as_bytes()), pairs(golden_query.as_bytes()));
    let golden_body = golden["body"].as_str().unwrap();
    assert_eq!(pairs(&sent.body), pairs(golden_body.as_bytes()));
    assert_eq!(
        sent.headers["stripe-version"],
        golden["stripe_version"].as_str().unwrap()
    );
    assert!(
        sent.headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Bearer sk_test_")
    );
    let has_key = sent.headers.contains_key("idempotency-key");
    assert_eq!(has_key, !golden["idempotency_key"].is_null());
}

#[tokio::test]
async fn an_account_is_told_with_its_name_and_the_kind_of_key() {
    let fields = json!({ "settings": { "dashboard": { "display_name": "Ada\u{7} GmbH" } } });
    let mut account = stripe_fixture("account");
    account["settings"]["dashboard"] = fields["settings"]["dashboard"].clone();
    check_stripe("Account", &account).unwrap();
    let server = server(ok(&account)).await;
    let found = stripe().check(&server.uri()).await.unwrap();
    assert_eq!(found.label, "Ada GmbH (sk_test_…6789)");
    assert_eq!(found.id.as_deref(), account["id"].as_str());
    let sent = &server.received_requests().await.unwrap()[0];
    assert_golden(sent, "accounts.retrieveCurrent", &Value::Null);
}

#[tokio::test]
async fn a_restricted_key_need_not_read_the_account() {
    let server = server(ResponseTemplate::new(403).set_body_json(json!({}))).await;
    let found = stripe().check(&server.uri()).await.unwrap();
    assert_eq!((found.label.as_str(), found.id), ("sk_test_…6789", None));
}

#[tokio::test]
async fn charges_are_listed_page_by_page() {
    let server = MockServer::start().await;
    let charge = |id: &str| {
        object(
            "charge",
            "Charge",
            json!({ "id": id, "amount": 500, "currency": "eur" }),
        )
    };
    let first = list("ChargeList", vec![charge("ch_1"), charge("ch_9")], true);
    let second = list("ChargeList", vec![charge("ch_3")], false);
    let next = wiremock::Mock::given(matchers::query_param("starting_after", "ch_9"));
    next.respond_with(ok(&second)).mount(&server).await;
    answer(&server, "GET", "/v1/charges", ok(&first)).await;
    let input = json!({ "customer": "cus_1" });
    let found = run(&server, "stripe.charges.list", input.clone())
        .await
        .unwrap();
    let ids = |found: &Value| {
        let charges = found["charges"].as_array().unwrap().clone();
        charges
            .iter()
            .map(|charge| charge["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&found), ["ch_1", "ch_9", "ch_3"]);
    assert_eq!(found["hasMore"], false);
    assert_eq!(found["charges"][0]["amount"], 500);
    assert!(found["charges"][0]["amountRefunded"].is_u64());
    let sent = server.received_requests().await.unwrap();
    let expected = [
        json!({ "customer": "cus_1", "limit": "100" }),
        json!({ "customer": "cus_1", "limit": "98", "starting_after": "ch_9" }),
    ];
    assert_eq!([query(&sent[0]), query(&sent[1])], expected);
    for request in &sent {
        check_stripe(
            "ChargeListParams",
            &typed(query(request).as_object().unwrap()),
        )
        .unwrap();
    }
    let two = json!({ "customer": "cus_1", "limit": 2 });
    let found = run(&server, "stripe.charges.list", two).await.unwrap();
    assert_eq!((ids(&found).len(), &found["hasMore"]), (2, &json!(true)));
}

#[tokio::test]
async fn a_list_without_end_ends_where_stripe_gives_nothing_more() {
    let server = server(ok(&list("ChargeList", vec![], true))).await;
    let found = run(&server, "stripe.charges.list", json!({}))
        .await
        .unwrap();
    assert_eq!(found, json!({ "charges": [], "hasMore": false }));
}

#[tokio::test]
async fn invoices_are_listed_as_stripes_library_asks_for_them() {
    let invoice = object("invoice", "Invoice", json!({ "status": "open" }));
    let server = server(ok(&list("InvoiceList", vec![invoice], false))).await;
    let input = json!({ "customer": "cus_1", "status": "open", "limit": 20 });
    let found = run(&server, "stripe.invoices.list", input.clone())
        .await
        .unwrap();
    assert_eq!(found["invoices"][0]["status"], "open");
    let sent = &server.received_requests().await.unwrap()[0];
    check_stripe(
        "InvoiceListParams",
        &typed(query(sent).as_object().unwrap()),
    )
    .unwrap();
    let params = json!({ "limit": 20, "customer": "cus_1", "status": "open" });
    assert_golden(sent, "invoices.list", &params);
}

#[tokio::test]
async fn a_refund_is_asked_for_with_the_key_of_the_call() {
    let refund = object(
        "refund",
        "Refund",
        json!({ "charge": "ch_1", "amount": 500 }),
    );
    let server = server(ok(&refund)).await;
    for params in [
        json!({ "charge": "ch_1", "amount": 500 }),
        json!({ "charge": "ch_1" }),
    ] {
        let found = run(&server, "stripe.charges.refund", params.clone())
            .await
            .unwrap();
        assert_eq!(
            (&found["charge"], &found["amount"]),
            (&json!("ch_1"), &json!(500))
        );
        let sent = server.received_requests().await.unwrap();
        let sent = sent.last().unwrap();
        assert_eq!(sent.headers["idempotency-key"], "key-1");
        check_stripe("RefundCreateParams", &typed(&form(sent))).unwrap();
        assert_golden(sent, "refunds.create", &params);
    }
}

#[tokio::test]
async fn an_invoice_is_a_draft_and_then_its_item_each_with_a_key_of_its_own() {
    let server = MockServer::start().await;
    let draft = object(
        "invoice",
        "Invoice",
        json!({ "id": "in_1", "status": "draft", "total": 0 }),
    );
    let item = object(
        "invoiceitem",
        "InvoiceItem",
        json!({ "id": "ii_1", "amount": 1200 }),
    );
    answer(&server, "POST", "/v1/invoices", ok(&draft)).await;
    answer(&server, "POST", "/v1/invoiceitems", ok(&item)).await;
    let input = json!({
        "customer": "cus_1",
        "amount": 1200,
        "currency": "EUR",
        "item": "Work & travel",
    });
    let found = run(&server, "stripe.invoices.create", input.clone())
        .await
        .unwrap();
    assert_eq!(found["id"], "in_1");
    assert_eq!(found["itemId"], "ii_1");
    assert_eq!(
        (&found["status"], &found["total"]),
        (&json!("draft"), &json!(1200))
    );
    run(&server, "stripe.invoices.create", input).await.unwrap();
    let sent = server.received_requests().await.unwrap();
    let keys: Vec<_> = sent
        .iter()
        .map(|sent| &sent.headers["idempotency-key"])
        .collect();
    assert_eq!(
        keys,
        ["key-1-invoice", "key-1-item", "key-1-invoice", "key-1-item"]
    );
    check_stripe("InvoiceCreateParams", &typed(&form(&sent[0]))).unwrap();
    check_stripe("InvoiceItemCreateParams", &typed(&form(&sent[1]))).unwrap();
    let params = json!({
        "customer": "cus_1",
        "currency": "eur",
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "auto_advance": false,
        "pending_invoice_items_behavior": "exclude",
    });
    assert_golden(&sent[0], "invoices.create", &params);
    let params = json!({
        "customer": "cus_1",
        "invoice": "in_1",
        "amount": 1200,
        "currency": "eur",
        "description": "Work & travel",
    });
    assert_golden(&sent[1], "invoiceItems.create", &params);
}

#[tokio::test]
async fn an_invoice_without_its_item_is_not_told_as_made() {
    let server = MockServer::start().await;
    let draft = object(
        "invoice",
        "Invoice",
        json!({ "id": "in_1", "status": "draft" }),
    );
    answer(&server, "POST", "/v1/invoices", ok(&draft)).await;
    answer(
        &server,
        "POST",
        "/v1/invoiceitems",
        ResponseTemplate::new(503),
    )
    .await;
    let input = json!({
        "customer": "cus_1",
        "amount": 1200,
        "currency": "eur",
        "item": "Work",
        "daysUntilDue": 0,
    });
    let error = run(&server, "stripe.invoices.create", input)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error:?}");
    assert_eq!(
        calls(&server).await,
        ["POST /v1/invoices", "POST /v1/invoiceitems"]
    );
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(form(sent)["days_until_due"], "0");
}

#[tokio::test]
async fn an_invoice_is_sent_as_stripes_library_sends_it() {
    let invoice = object(
        "invoice",
        "Invoice",
        json!({ "id": "in_1", "status": "open" }),
    );
    let server = server(ok(&invoice)).await;
    let found = run(
        &server,
        "stripe.invoices.send",
        json!({ "invoice": "in_1" }),
    )
    .await
    .unwrap();
    assert_eq!(
        (&found["id"], &found["status"]),
        (&json!("in_1"), &json!("open"))
    );
    let sent = &server.received_requests().await.unwrap()[0];
    assert_golden(sent, "invoices.sendInvoice", &json!({}));
    assert_eq!(sent.headers["idempotency-key"], "key-1");
}
