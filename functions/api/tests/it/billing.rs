//! How organizations pay, against the fake of Stripe.

mod by_hand;
mod checkout;
mod closing;
mod customer;
mod deleted;
mod overview;
mod plan;
mod usage;

use serde_json::{Value, json};
use shared::{
    ids::{OrgId, Uid},
    models::Organization,
    store::organizations,
    testing::{FakeStripe, claims},
};

use crate::app::{Answer, TestApp};

const PAGE: &str = "https://app.example.com/billing";

/// The API with an account at Stripe that sells, and a guest whose organization has no customer.
struct Shop {
    app: TestApp,
    stripe: FakeStripe,
    org_id: OrgId,
}

impl Shop {
    async fn open() -> Self {
        let mut app = TestApp::new().await;
        let stripe = FakeStripe::start(app.clock.shared()).await;
        let meter = stripe.add_meter("llm_tokens");
        let prices = [
            ("pro_monthly", 4_900),
            ("pro_yearly", 49_000),
            ("enterprise_monthly", 99_000),
        ];
        for (key, cents) in prices {
            let _ = stripe.add_price(key, cents, None);
        }
        for key in ["pro_tokens_monthly", "pro_tokens_yearly"] {
            let _ = stripe.add_price(key, 1, Some(&meter));
        }
        stripe.add_portal_configuration();
        app.connect_stripe(&stripe);
        app.verifier
            .accept("guest", claims(&Uid::parse("guest").unwrap()));
        let me = app.get("guest", "/me").await.body;
        let org_id = OrgId::parse(me["organizationId"].as_str().unwrap()).unwrap();
        Self {
            app,
            stripe,
            org_id,
        }
    }

    async fn organization(&self) -> Organization {
        let found = self.app.store.find_organization(&self.org_id).await;
        found.unwrap().unwrap().value
    }

    async fn change(&self, change: impl FnOnce(&mut Organization)) {
        let found = self.app.store.find_organization(&self.org_id).await;
        let mut organization = found.unwrap().unwrap();
        change(&mut organization.value);
        let write = organizations::replace(&organization).unwrap();
        self.app.store.commit(vec![write]).await.unwrap();
    }

    async fn checkout(&self, body: &Value) -> Answer {
        self.app
            .post("guest", "/billing/checkout-session", body)
            .await
    }

    async fn buy_pro(&self) -> Answer {
        self.checkout(&json!({ "tier": "pro", "returnUrl": PAGE }))
            .await
    }

    /// Has the organization subscribe to the smaller plan; the subscription's id.
    async fn subscribe(&self) -> String {
        let page = self.buy_pro().await;
        assert!(self.stripe.pay(page.id()));
        let subscription = self.stripe.objects("subscription").pop().unwrap();
        subscription["id"].as_str().unwrap().to_owned()
    }

    async fn portal(&self, return_url: &str) -> Answer {
        let body = json!({ "returnUrl": return_url });
        self.app
            .post("guest", "/billing/portal-session", &body)
            .await
    }

    /// The states of all pages, oldest first.
    fn pages(&self) -> Vec<Value> {
        let pages = self.stripe.objects("checkout").into_iter();
        pages.map(|page| page["status"].clone()).collect()
    }

    fn audited(&self) -> Vec<&'static str> {
        let deeds = self.app.deeds(&self.org_id).into_iter();
        let deeds = deeds.map(|(action, ..)| action.as_str());
        deeds
            .filter(|action| action.starts_with("BILLING"))
            .collect()
    }
}

impl Answer {
    /// The id of what was made.
    fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }
}
