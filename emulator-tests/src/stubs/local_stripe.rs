//! Stripe for who tries the product on this machine: pages that take no money, and events that reach
//! the webhook signed.

mod events;
mod pages;

use std::sync::Arc;

use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use shared::{clock::SystemClock, quota::prices::Catalog, testing::FakeStripe};
use tower::ServiceExt;

use self::events::Webhook;
use crate::emulators::LocalServer;

/// The key that opens the account. It is no secret.
pub const API_KEY: &str = "sk_test_local";

/// What events are signed with. It is no secret.
pub const WEBHOOK_SECRET: &str = "whsec_local";

/// A running account that sells what the catalog has; dropping it stops it, and forgets who paid.
pub struct LocalStripe {
    server: LocalServer,
    state: Arc<LocalStripeState>,
}

struct LocalStripeState {
    account: FakeStripe,
    webhook: Webhook,
}

type Shared = State<Arc<LocalStripeState>>;

impl LocalStripe {
    /// Starts to serve on any port, and to tell what happens to a webhook.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(webhook_url: String) -> Result<Self> {
        let account = FakeStripe::new(SystemClock::shared(), API_KEY);
        stock(&account);
        let webhook = Webhook::new(webhook_url)?;
        let state = Arc::new(LocalStripeState { account, webhook });
        let router = Router::new()
            .route("/checkout/{id}", get(pages::checkout).post(pages::pay))
            .route("/portal/{id}", get(pages::portal))
            .route("/portal/{id}/{subscription}", post(pages::end_subscription))
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("stripe", 0, router).await?;
        state.account.move_to(&server.url());
        Ok(Self { server, state })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &FakeStripe {
        &self.state.account
    }

    /// Tells the webhook what has happened in the account meanwhile.
    ///
    /// # Errors
    /// Returns why the webhook did not take it.
    pub async fn tell(&self) -> Result<()> {
        self.state.tell().await
    }
}

impl LocalStripeState {
    async fn tell(&self) -> Result<()> {
        for event in self.account.take_events() {
            self.webhook.deliver(&event).await?;
        }
        Ok(())
    }
}

/// What `stripe-setup` makes, as far as it is needed to sell.
fn stock(account: &FakeStripe) {
    let catalog = Catalog::load();
    let meter = account.add_meter(&catalog.meter.event_name);
    for price in catalog.plans.values().flatten() {
        let _ = account.add_price(&price.lookup_key, price.amount_cents, None);
        if let Some(overage) = &price.overage {
            let _ = account.add_price(&overage.lookup_key, 1, Some(&meter));
        }
    }
    account.add_portal_configuration();
}

/// Stripe's API. The record of calls is for suites: here it would grow for days. What a call changes
/// is told before it is answered.
async fn answer(State(state): Shared, request: Request) -> Response {
    state.account.forget_calls();
    let answered = state.account.router().oneshot(request).await;
    if let Err(error) = state.tell().await {
        tracing::warn!(%error, "the webhook was not told");
    }
    answered.unwrap_or_else(|never| match never {})
}
