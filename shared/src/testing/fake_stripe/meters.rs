//! Meters and what they count (<https://docs.stripe.com/billing/subscriptions/usage-based>).

use serde_json::{Value, json};

use super::{
    account::{Account, Answer, Call, Refusal, has},
    sales::is_metered,
};

const DAY_SECS: i64 = 24 * 3_600;

/// The oldest usage that a meter takes.
const MAX_AGE_SECS: i64 = 35 * DAY_SECS;

/// The latest usage that a meter takes.
const MAX_LEAD_SECS: i64 = 300;

/// A meter event that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The name of the event.
    pub event_name: String,
    /// Who used it.
    pub customer_id: String,
    /// How much.
    pub value: i64,
    /// What made it count once.
    pub identifier: String,
    /// When it was used, in seconds.
    pub at: i64,
    /// When it was told, in seconds.
    pub received_at: i64,
}

impl Account {
    pub(super) fn create_meter(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let is_taken = self.all("meter").iter().any(|meter| {
            meter["event_name"] == params["event_name"] && meter["status"] == "active"
        });
        if is_taken {
            let refusal = Refusal::invalid("There is already an active meter of this event name");
            return Err(refusal.code("resource_already_exists").param("event_name"));
        }
        let fields = json!({
            "id": self.new_id("mtr"),
            "created": call.now,
            "updated": call.now,
            "display_name": params["display_name"],
            "event_name": params["event_name"],
            "default_aggregation": params["default_aggregation"],
            "customer_mapping": params.get("customer_mapping").cloned().unwrap_or_else(|| {
                json!({ "type": "by_id", "event_payload_key": "stripe_customer_id" })
            }),
            "value_settings": params.get("value_settings").cloned().unwrap_or_else(|| {
                json!({ "event_payload_key": "value" })
            }),
            "event_time_window": params["event_time_window"],
            "status": "active",
        });
        let meter = self.contract.example("billing.meter", fields);
        self.keep("meter", &meter);
        Ok(meter)
    }

    pub(super) fn list_meters(&mut self, call: &Call) -> Answer {
        self.list("meter", call, |meter| has(meter, &call.params, "status"))
    }

    /// A customer that there is not is told of later by an event of its own: the answer is the same.
    pub(super) fn create_meter_event(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let meters = self.all("meter").iter();
        let mut active = meters.filter(|meter| meter["status"] == "active");
        let meter = active.find(|meter| meter["event_name"] == params["event_name"]);
        let Some(meter) = meter else {
            return Err(Refusal::invalid("No active meter of this event name").param("event_name"));
        };
        let payload = |setting: &str| {
            let key = meter[setting]["event_payload_key"].as_str().unwrap();
            let text = params["payload"][key].as_str();
            text.ok_or_else(|| Refusal::invalid("The payload lacks a key").param("payload"))
        };
        let customer_id = payload("customer_mapping")?.to_owned();
        let value = payload("value_settings")?.parse::<i64>();
        let value = value.map_err(|_| Refusal::invalid("The value is no number"))?;
        let at = params["timestamp"].as_i64().unwrap_or(call.now);
        if at < call.now - MAX_AGE_SECS || at > call.now + MAX_LEAD_SECS {
            let refusal = Refusal::invalid("The timestamp is too far in the past or the future");
            return Err(refusal.param("timestamp"));
        }
        let identifier = params["identifier"].as_str().map(str::to_owned);
        let identifier = identifier.unwrap_or_else(|| self.new_id("generated"));
        if identifier.len() > 100 {
            return Err(Refusal::invalid("The identifier is too long").param("identifier"));
        }
        let mut counted = self.counted.iter();
        if counted.any(|it| it.identifier == identifier && it.received_at > call.now - DAY_SECS) {
            let message = format!("An event already exists with identifier {identifier}");
            return Err(Refusal::invalid(message).param("identifier"));
        }
        let event = json!({
            "object": "billing.meter_event",
            "created": call.now,
            "event_name": params["event_name"],
            "identifier": identifier,
            "livemode": false,
            "payload": params["payload"],
            "timestamp": at,
        });
        self.counted.push(Counted {
            event_name: params["event_name"].as_str().unwrap().to_owned(),
            customer_id,
            value,
            identifier,
            at,
            received_at: call.now,
        });
        Ok(event)
    }

    /// One summary of the whole range, or one of each hour or day of it.
    pub(super) fn summarize_meter(&mut self, call: &Call) -> Answer {
        let meter = self.find("meter", &call.id)?;
        let params = &call.params;
        let times = (params["start_time"].as_i64(), params["end_time"].as_i64());
        let (Some(start), Some(end)) = times else {
            return Err(Refusal::invalid("Times are seconds"));
        };
        let window = match params["value_grouping_window"].as_str() {
            Some("hour") => Some(3_600),
            Some(_) => Some(DAY_SECS),
            None => None,
        };
        let unit = window.unwrap_or(60);
        if start % unit != 0 || end % unit != 0 || start >= end {
            let message = "start_time and end_time must be aligned, and in order";
            return Err(Refusal::invalid(message).param("start_time"));
        }
        let length = window.unwrap_or(end - start);
        let mut summaries = Vec::new();
        for start in (start..end).step_by(usize::try_from(length).unwrap()) {
            let total = self.total(&meter, &params["customer"], start, start + length);
            summaries.push(self.contract.example(
                "billing.meter_event_summary",
                json!({
                    "id": format!("mtrusg_{start}"),
                    "aggregated_value": total,
                    "start_time": start,
                    "end_time": start + length,
                    "meter": meter["id"],
                }),
            ));
        }
        let url = "/v1/billing/meters/event_summaries";
        Ok(json!({ "object": "list", "data": summaries, "has_more": false, "url": url }))
    }

    /// What no invoice has, because it was told after the period had begun that followed it.
    pub(super) fn lost(&self) -> i64 {
        let lost = self.counted.iter().filter(|event| {
            let mut periods = self.periods_by_usage(&event.customer_id);
            periods.all(|began_at| (event.at + 1..=event.received_at).contains(&began_at))
        });
        lost.map(|event| event.value).sum()
    }

    /// When the periods have begun in which a customer's usage is summed up.
    fn periods_by_usage(&self, customer_id: &str) -> impl Iterator<Item = i64> {
        let subscriptions = self.all("subscription").iter();
        let standing = subscriptions
            .filter(move |it| it["customer"] == customer_id && it["status"] != "canceled");
        let items = standing.flat_map(|it| it["items"]["data"].as_array().into_iter().flatten());
        let metered = items.filter(|item| is_metered(&item["price"]));
        metered.filter_map(|item| item["current_period_start"].as_i64())
    }

    fn total(&self, meter: &Value, customer: &Value, start: i64, end: i64) -> i64 {
        let counted = self.counted.iter().filter(|event| {
            meter["event_name"] == *event.event_name
                && *customer == *event.customer_id
                && (start..end).contains(&event.at)
        });
        counted.map(|event| event.value).sum()
    }
}
