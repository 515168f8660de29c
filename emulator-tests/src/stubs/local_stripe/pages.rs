//! The pages that customers are sent to.

use std::fmt::Write as _;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde_json::Value;

use super::{LocalStripeState, Shared};

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Local Stripe</title>\
    <style>body{font:16px/1.5 sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
    button{font:inherit;margin:1rem .5rem 0 0}</style>\
    <p>This is Stripe's stand-in on your machine. It takes no money.</p>";

pub(super) async fn checkout(State(state): Shared, Path(id): Path<String>) -> Response {
    let Some(session) = state.find("checkout", &id) else {
        return gone();
    };
    if session["status"] != "open" {
        return gone();
    }
    let cancel_url = escaped(session["cancel_url"].as_str().unwrap_or_default());
    let mut page = format!("{HEAD}<h1>Subscribe</h1><ul>");
    for price in state.prices_of(&id) {
        let _ = write!(page, "<li>{}</li>", escaped(&price));
    }
    let _ = write!(
        page,
        "</ul><form method=\"post\"><button>Pay</button></form><a href=\"{cancel_url}\">Back</a>"
    );
    Html(page).into_response()
}

pub(super) async fn pay(State(state): Shared, Path(id): Path<String>) -> Response {
    let Some(session) = state.find("checkout", &id) else {
        return gone();
    };
    if !state.account.pay(&id) {
        return gone();
    }
    let url = session["success_url"].as_str().unwrap_or_default();
    state
        .tell_and_go(&url.replace("{CHECKOUT_SESSION_ID}", &id))
        .await
}

pub(super) async fn portal(State(state): Shared, Path(id): Path<String>) -> Response {
    let Some(session) = state.find("portal", &id) else {
        return gone();
    };
    let mut page = format!("{HEAD}<h1>Your subscription</h1>");
    for subscription in state.account.objects("subscription") {
        if subscription["customer"] != session["customer"] || subscription["status"] == "canceled" {
            continue;
        }
        let id_of_it = subscription["id"].as_str().unwrap_or_default();
        let status = escaped(subscription["status"].as_str().unwrap_or_default());
        let _ = write!(
            page,
            "<p>{status}</p><form method=\"post\" action=\"{id}/{id_of_it}\">\
             <button>End it now</button></form>",
            id = escaped(&id),
        );
    }
    let return_url = escaped(session["return_url"].as_str().unwrap_or_default());
    let _ = write!(page, "<a href=\"{return_url}\">Back</a>");
    Html(page).into_response()
}

pub(super) async fn end_subscription(
    State(state): Shared,
    Path((id, subscription_id)): Path<(String, String)>,
) -> Response {
    let session = state.find("portal", &id);
    let subscription = state.find("subscription", &subscription_id);
    let (Some(session), Some(subscription)) = (session, subscription) else {
        return gone();
    };
    if subscription["customer"] != session["customer"] {
        return gone();
    }
    state.account.set_status(&subscription_id, "canceled");
    let url = session["return_url"].as_str().unwrap_or_default();
    state.tell_and_go(url).await
}

impl LocalStripeState {
    fn find(&self, kind: &str, id: &str) -> Option<Value> {
        let mut objects = self.account.objects(kind).into_iter();
        objects.find(|object| object["id"] == id)
    }

    /// The lookup keys of what a checkout sells.
    fn prices_of(&self, checkout_id: &str) -> Vec<String> {
        let order = self.find("order", checkout_id).unwrap_or_default();
        let items = order["params"]["line_items"].as_array();
        let ids = items
            .into_iter()
            .flatten()
            .filter_map(|item| item["price"].as_str());
        let prices = ids.filter_map(|id| self.find("price", id));
        prices
            .filter_map(|price| Some(price["lookup_key"].as_str()?.to_owned()))
            .collect()
    }

    /// The browser comes back when the product knows.
    async fn tell_and_go(&self, url: &str) -> Response {
        match self.tell().await {
            Ok(()) => Redirect::to(url).into_response(),
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
        }
    }
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, "there is no such page any more").into_response()
}

fn escaped(text: &str) -> String {
    let escape = |character| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}
