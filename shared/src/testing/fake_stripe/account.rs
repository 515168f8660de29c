//! What the account holds, and what all its objects have in common.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use super::{Fault, StripeCall, contract::Contract, meters::Counted};

/// What Stripe keeps of a key: the request, when it came, and what was answered.
pub(super) struct Remembered {
    /// Its path and parameters.
    pub(super) request: (String, Value),
    pub(super) at: i64,
    pub(super) answer: (u16, Value),
}

/// A request that was understood.
pub(super) struct Call {
    /// What the path names, such as `cus_1` of `/v1/customers/cus_1`.
    pub(super) id: String,
    /// The parameters, as their type has them.
    pub(super) params: Value,
    /// Seconds of the fake's clock.
    pub(super) now: i64,
    /// Where the fake is.
    pub(super) url: String,
}

/// A refusal (<https://docs.stripe.com/api/errors>).
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
    pub(super) param: Option<String>,
}

pub(super) type Answer = Result<Value, Refusal>;

/// One account.
pub(super) struct Account {
    pub(super) contract: Contract,
    /// Objects by their kind, in the order in which they were made.
    pub(super) objects: BTreeMap<&'static str, Vec<Value>>,
    pub(super) counted: Vec<Counted>,
    pub(super) events: Vec<Value>,
    pub(super) keys: HashMap<String, Remembered>,
    /// Customers whose payments fail.
    pub(super) declined: HashSet<String>,
    pub(super) faults: VecDeque<Fault>,
    /// How every request of a turn fails.
    pub(super) each: Option<(usize, Fault)>,
    /// How the request of a number fails.
    pub(super) at: Option<(usize, Fault)>,
    pub(super) calls: Vec<StripeCall>,
    pub(super) problems: Vec<String>,
    made: usize,
}

impl Refusal {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
        }
    }

    pub(super) fn code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    pub(super) fn param(self, param: &str) -> Self {
        let param = Some(param.to_owned());
        Self { param, ..self }
    }

    pub(super) fn missing(kind: &str, id: &str) -> Self {
        let refusal = Self::invalid(format!("No such {kind}: '{id}'"));
        refusal.code("resource_missing")
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
        } })
    }
}

impl Account {
    pub(super) fn new() -> Self {
        Self {
            contract: Contract::load(),
            objects: BTreeMap::new(),
            counted: Vec::new(),
            events: Vec::new(),
            keys: HashMap::new(),
            declined: HashSet::new(),
            faults: VecDeque::new(),
            each: None,
            at: None,
            calls: Vec::new(),
            problems: Vec::new(),
            made: 0,
        }
    }

    /// How the request that comes now fails, if it does.
    pub(super) fn next_fault(&mut self) -> Option<Fault> {
        let number = self.calls.len() + 1;
        let each = self.each.filter(|(turn, _)| number.is_multiple_of(*turn));
        let fault = self.faults.pop_front();
        let at = self.at.take_if(|(request, _)| *request < number);
        let fault = fault.or(at.map(|(_, fault)| fault));
        fault.or(each.map(|(_, fault)| fault))
    }

    /// An id that no other object has.
    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}", self.made)
    }

    pub(super) fn all(&self, kind: &str) -> &[Value] {
        self.objects.get(kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn find(&self, kind: &'static str, id: &str) -> Answer {
        let found = self.all(kind).iter().find(|object| object["id"] == id);
        found.cloned().ok_or_else(|| Refusal {
            status: 404,
            ..Refusal::missing(kind, id)
        })
    }

    pub(super) fn find_mut(&mut self, kind: &'static str, id: &str) -> Result<&mut Value, Refusal> {
        let objects = self.objects.entry(kind).or_default();
        let found = objects.iter_mut().find(|object| object["id"] == id);
        found.ok_or_else(|| Refusal {
            status: 404,
            ..Refusal::missing(kind, id)
        })
    }

    pub(super) fn keep(&mut self, kind: &'static str, object: &Value) {
        self.objects.entry(kind).or_default().push(object.clone());
    }

    /// Changes an object by parameters that are named as its fields are. Metadata is merged.
    pub(super) fn update(&mut self, kind: &'static str, call: &Call) -> Answer {
        let object = self.find_mut(kind, &call.id)?;
        for (name, value) in call.params.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("metadata", Value::Object(metadata)) => {
                    for (name, value) in metadata {
                        object["metadata"][name] = value.clone();
                    }
                }
                _ => object[name] = value.clone(),
            }
        }
        Ok(object.clone())
    }

    /// A page of a list, the newest first (<https://docs.stripe.com/api/pagination>).
    pub(super) fn list(
        &self,
        kind: &'static str,
        call: &Call,
        fits: impl Fn(&Value) -> bool,
    ) -> Answer {
        let params = &call.params;
        let limit = params["limit"].as_u64().unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let refusal = Refusal::invalid("Limit must be between 1 and 100");
            return Err(refusal.param("limit"));
        }
        let mut found: Vec<&Value> = self.all(kind).iter().rev().filter(|it| fits(it)).collect();
        if let Some(after) = params["starting_after"].as_str() {
            let place = found.iter().position(|object| object["id"] == after);
            let place = place.ok_or_else(|| Refusal::missing(kind, after))?;
            found.drain(..=place);
        }
        let limit = usize::try_from(limit).unwrap();
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok(json!({ "object": "list", "data": found, "has_more": has_more, "url": "/v1/list" }))
    }

    /// Tells the webhook endpoints.
    pub(super) fn tell(&mut self, kind: &str, object: &Value, now: i64) {
        let id = self.new_id("evt");
        self.events.push(json!({
            "id": id,
            "object": "event",
            "api_version": crate::stripe::API_VERSION,
            "created": now,
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": null },
            "type": kind,
            "data": { "object": object },
        }));
    }
}

/// Whether an object has what a filter names, if it names anything.
pub(super) fn has(object: &Value, params: &Value, name: &str) -> bool {
    params.get(name).is_none_or(|value| object[name] == *value)
}
