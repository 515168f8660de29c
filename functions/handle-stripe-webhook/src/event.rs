//! The parts of a webhook event that matter here
//! (<https://docs.stripe.com/api/events/object>).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use shared::{
    ids::{OrgId, RecordId},
    models::StripeClaim,
};

/// A payment has failed; Stripe tries it again.
pub(crate) const PAYMENT_FAILED: &str = "invoice.payment_failed";

/// A trial ends in three days.
pub(crate) const TRIAL_WILL_END: &str = "customer.subscription.trial_will_end";

/// Event types after which a customer's subscriptions may differ, beside checkouts.
const SUBSCRIPTION_EVENTS: [&str; 8] = [
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    TRIAL_WILL_END,
    "customer.subscription.updated",
    "invoice.paid",
    PAYMENT_FAILED,
];

/// Money goes back, which changes no tier by itself: people decide.
const NOTED_EVENTS: [&str; 2] = ["charge.dispute.created", "charge.refunded"];

/// Whether an event of this type is for people to look at.
pub(crate) fn is_noted(kind: &str) -> bool {
    NOTED_EVENTS.contains(&kind)
}

/// A checkout that is paid, at once or later by a slow means of payment.
const CHECKOUT_EVENTS: [&str; 2] = [
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
];

/// An event, as far as it is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Stripe's id: the idempotency key.
    pub(crate) id: RecordId,
    /// Stripe's name of the type.
    pub(crate) kind: String,
    /// Whether it tells of real money; thin events may leave it out.
    pub(crate) livemode: Option<bool>,
    /// What it means.
    pub(crate) change: Change,
}

/// What an event means for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The customer's subscriptions may have changed.
    Subscriptions(Customer),
    /// Somebody should look at it: money of this customer, if that is known, goes back.
    Noted(Option<RecordId>),
    /// Nothing.
    None,
}

/// Whom an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Customer {
    /// Stripe's id.
    pub(crate) id: RecordId,
    /// Which organization it pays for, by what the object says.
    pub(crate) claim: Option<StripeClaim>,
    /// What a mail about the event is about.
    pub(crate) subject: Option<String>,
}

impl Event {
    /// Reads an event of any API version: unknown fields and types are passed over.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut envelope: Envelope = serde_json::from_slice(body)?;
        let data = envelope.data.take();
        let change = match (envelope.object.as_str(), Relevance::of(&envelope.kind)) {
            // Thin events, `v2.core.event`, carry no object
            // (https://docs.stripe.com/event-destinations#thin-events).
            ("event", Some(relevance)) => {
                let object = Data::deserialize(data)?.object;
                relevance.change(&envelope.kind, object)
            }
            _ => Change::None,
        };
        Ok(Self {
            id: envelope.id,
            kind: envelope.kind,
            livemode: envelope.livemode,
            change,
        })
    }
}

#[derive(Deserialize)]
struct Envelope {
    id: RecordId,
    object: String,
    #[serde(rename = "type")]
    kind: String,
    livemode: Option<bool>,
    // Read only when the type is of interest: it has another shape for each.
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

/// A checkout session, a subscription, an invoice, a charge or a dispute.
#[derive(Deserialize)]
struct Object {
    id: Option<RecordId>,
    customer: Option<Expandable>,
    subscription: Option<Expandable>,
    client_reference_id: Option<String>,
    metadata: Option<HashMap<String, String>>,
    trial_end: Option<i64>,
}

/// An id, or the object behind it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expandable {
    Id(RecordId),
    Object { id: RecordId },
}

/// Why a type of event is of interest.
#[derive(Clone, Copy)]
enum Relevance {
    Checkout,
    Subscription,
    Note,
}

impl Relevance {
    fn of(kind: &str) -> Option<Self> {
        if CHECKOUT_EVENTS.contains(&kind) {
            Some(Self::Checkout)
        } else if is_noted(kind) {
            Some(Self::Note)
        } else {
            SUBSCRIPTION_EVENTS
                .contains(&kind)
                .then_some(Self::Subscription)
        }
    }

    fn change(self, kind: &str, object: Object) -> Change {
        let claim = match self {
            // A checkout without a subscription is a one-time payment.
            Self::Checkout if object.subscription.is_none() => return Change::None,
            Self::Checkout => object.claim(),
            Self::Subscription => None,
            Self::Note => return Change::Noted(object.customer.map(Expandable::into_id)),
        };
        let subject = object.subject(kind);
        object.customer.map_or(Change::None, |customer| {
            Change::Subscriptions(Customer {
                id: customer.into_id(),
                claim,
                subject,
            })
        })
    }
}

impl Object {
    /// Only metadata counts. Whoever opens a payment link chooses `client_reference_id`
    /// (<https://docs.stripe.com/payment-links/url-parameters>), so that may only confirm.
    fn claim(&self) -> Option<StripeClaim> {
        let metadata = self.metadata.as_ref();
        let named = metadata.and_then(|metadata| metadata.get("orgId"));
        let confirmed = |named| {
            self.client_reference_id
                .as_ref()
                .is_none_or(|id| id == named)
        };
        let named = named?;
        let org_id = OrgId::parse(named).ok().filter(|_| confirmed(named));
        let claim = org_id.map(|org_id| StripeClaim::Organization { org_id });
        Some(claim.unwrap_or(StripeClaim::Invalid))
    }

    /// Stripe may tell of one thing by two events
    /// (<https://docs.stripe.com/webhooks#handle-duplicate-events>), and of an invoice once for each
    /// attempt to collect it. A trial that was prolonged ends once more.
    fn subject(&self, kind: &str) -> Option<String> {
        let id = self.id.as_ref()?;
        match kind {
            PAYMENT_FAILED => Some(id.to_string()),
            TRIAL_WILL_END => Some(format!("{id} {}", self.trial_end.unwrap_or_default())),
            _ => None,
        }
    }
}

impl Expandable {
    fn into_id(self) -> RecordId {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(event: &Value) -> Event {
        Event::parse(event.to_string().as_bytes()).unwrap()
    }

    fn checkout(object: &Value) -> Change {
        parse(&json!({
            "id": "evt_1", "object": "event", "type": "checkout.session.completed",
            "livemode": false, "data": { "object": object },
        }))
        .change
    }

    fn subscriptions_of(id: &str, claim: Option<StripeClaim>) -> Change {
        Change::Subscriptions(Customer {
            id: RecordId::parse(id).unwrap(),
            claim,
            subject: None,
        })
    }

    fn subject(kind: &str, object: &Value) -> Option<String> {
        let event = parse(&json!({
            "id": "evt_1", "object": "event", "type": kind, "data": { "object": object },
        }));
        match event.change {
            Change::Subscriptions(customer) => customer.subject,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_read_is_what_stripe_is_asked_to_tell() {
        let read = [&CHECKOUT_EVENTS[..], &SUBSCRIPTION_EVENTS, &NOTED_EVENTS];
        let mut read = read.concat();
        read.sort_unstable();
        assert_eq!(read, shared::stripe::WEBHOOK_EVENTS);
    }

    #[test]
    fn a_mail_is_about_an_invoice_or_the_end_of_a_trial() {
        let invoice = json!({ "id": "in_1", "customer": "cus_1" });
        assert_eq!(subject(PAYMENT_FAILED, &invoice).as_deref(), Some("in_1"));
        assert_eq!(subject("invoice.paid", &invoice), None);
        let trial = |end: i64| json!({ "id": "sub_1", "customer": "cus_1", "trial_end": end });
        let first = subject(TRIAL_WILL_END, &trial(1)).unwrap();
        assert_ne!(subject(TRIAL_WILL_END, &trial(2)).unwrap(), first);
    }

    #[test]
    fn refunds_and_disputes_are_noted() {
        let table = [
            (
                "charge.refunded",
                json!({ "id": "ch_1", "customer": "cus_1" }),
                Some("cus_1"),
            ),
            (
                "charge.dispute.created",
                json!({ "id": "du_1", "charge": "ch_1" }),
                None,
            ),
        ];
        for (kind, object, customer) in table {
            let event = parse(&json!({
                "id": "evt_1", "object": "event", "type": kind, "data": { "object": object },
            }));
            let customer = customer.map(|id| RecordId::parse(id).unwrap());
            assert_eq!(event.change, Change::Noted(customer), "{kind}");
        }
    }

    #[test]
    fn a_checkout_claims_the_organization_in_its_metadata() {
        let change = checkout(&json!({
            "customer": "cus_1", "subscription": "sub_1", "client_reference_id": "o1",
            "metadata": { "orgId": "o1" },
        }));
        let org_id = OrgId::parse("o1").unwrap();
        let claim = StripeClaim::Organization { org_id };
        assert_eq!(change, subscriptions_of("cus_1", Some(claim)));
    }

    #[test]
    fn a_reference_of_the_payer_claims_nothing() {
        let change = checkout(&json!({
            "customer": "cus_1", "subscription": "sub_1", "client_reference_id": "o1",
        }));
        assert_eq!(change, subscriptions_of("cus_1", None));
    }

    #[test]
    fn a_reference_that_contradicts_the_metadata_is_invalid() {
        let change = checkout(&json!({
            "customer": "cus_1", "subscription": "sub_1", "client_reference_id": "o2",
            "metadata": { "orgId": "o1" },
        }));
        assert_eq!(
            change,
            subscriptions_of("cus_1", Some(StripeClaim::Invalid))
        );
    }

    #[test]
    fn a_one_time_payment_means_nothing() {
        let object = json!({ "customer": "cus_1", "subscription": null, "mode": "payment" });
        assert_eq!(checkout(&object), Change::None);
    }

    #[test]
    fn expanded_objects_are_read_like_ids() {
        let change = checkout(&json!({
            "customer": { "id": "cus_1", "object": "customer" },
            "subscription": { "id": "sub_1", "object": "subscription" },
        }));
        assert_eq!(change, subscriptions_of("cus_1", None));
    }

    #[test]
    fn a_thin_event_means_nothing() {
        let event = parse(&json!({
            "id": "evt_test_1", "object": "v2.core.event",
            "type": "customer.subscription.updated",
            "data": { "object": { "customer": "cus_1" } },
        }));
        assert_eq!(event.change, Change::None);
    }

    #[test]
    fn an_unknown_type_means_nothing() {
        let event = parse(&json!({
            "id": "evt_1", "object": "event", "type": "plan.created", "livemode": false,
            "data": { "object": { "customer": 1 } },
        }));
        assert_eq!(event.change, Change::None);
    }

    #[test]
    fn a_type_of_interest_without_its_object_is_refused() {
        let body = br#"{"id":"evt_1","object":"event","type":"invoice.paid"}"#;
        assert!(Event::parse(body).is_err());
    }

    #[test]
    fn an_event_without_an_id_is_refused() {
        let body = br#"{"object":"event","type":"plan.created"}"#;
        let error = Event::parse(body).unwrap_err();
        assert!(error.to_string().contains("`id`"), "{error}");
    }

    #[test]
    fn an_id_given_twice_is_refused() {
        let body = br#"{"id":"evt_1","id":"evt_2","object":"event","type":"plan.created"}"#;
        assert!(Event::parse(body).is_err());
    }
}
