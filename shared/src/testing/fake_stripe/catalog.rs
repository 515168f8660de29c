//! What `stripe-setup` makes: products, prices, the portal's configuration, webhook endpoints.

use serde_json::{Value, json};

use super::account::{Account, Answer, Call, Refusal, has};

impl Account {
    pub(super) fn create_product(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let id = match params["id"].as_str() {
            Some(id) if self.find("product", id).is_ok() => {
                let refusal = Refusal::invalid("Product already exists.");
                return Err(refusal.code("resource_already_exists").param("id"));
            }
            Some(id) => id.to_owned(),
            None => self.new_id("prod"),
        };
        let fields = json!({
            "id": id,
            "name": params["name"],
            "description": params["description"],
            "active": params.get("active").unwrap_or(&Value::Bool(true)),
            "metadata": params.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "created": call.now,
            "updated": call.now,
            "tax_details": null,
        });
        let product = self.contract.example("product", fields);
        self.keep("product", &product);
        Ok(product)
    }

    pub(super) fn update_product(&mut self, call: &Call) -> Answer {
        self.update("product", call)
    }

    pub(super) fn list_products(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.list("product", call, |product| {
            let ids = params["ids"].as_array();
            ids.is_none_or(|ids| ids.contains(&product["id"])) && has(product, params, "active")
        })
    }

    pub(super) fn create_price(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let product = params["product"].as_str().unwrap_or_default();
        self.find("product", product)?;
        let meter = &params["recurring"]["meter"];
        if let Some(meter) = meter.as_str() {
            self.find("meter", meter)?;
        }
        self.claim_lookup_key(params, None)?;
        let mut recurring = json!({
            "interval_count": 1,
            "usage_type": "licensed",
            "meter": null,
            "trial_period_days": null,
        });
        let asked = params["recurring"].as_object().cloned();
        let is_recurring = asked.is_some();
        recurring
            .as_object_mut()
            .unwrap()
            .extend(asked.unwrap_or_default());
        let unit_amount = params["unit_amount"].as_i64();
        let decimal = params["unit_amount_decimal"].as_str().map(str::to_owned);
        let decimal = decimal.or_else(|| unit_amount.map(|amount| amount.to_string()));
        let Some(decimal) = decimal else {
            return Err(Refusal::invalid("A price needs an amount").code("parameter_missing"));
        };
        let fields = json!({
            "id": self.new_id("price"),
            "active": true,
            "created": call.now,
            "currency": params["currency"],
            "lookup_key": params["lookup_key"],
            "metadata": params.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "nickname": params["nickname"],
            "product": product,
            "recurring": if is_recurring { recurring } else { Value::Null },
            "type": if is_recurring { "recurring" } else { "one_time" },
            "unit_amount": unit_amount,
            "unit_amount_decimal": decimal,
            "transform_quantity": params["transform_quantity"],
        });
        let price = self.contract.example("price", fields);
        self.keep("price", &price);
        Ok(price)
    }

    /// A lookup key is one price's: another that has it keeps it unless it is to be transferred.
    fn claim_lookup_key(&mut self, params: &Value, for_id: Option<&str>) -> Result<(), Refusal> {
        let Some(key) = params["lookup_key"].as_str() else {
            return Ok(());
        };
        let prices = self.objects.entry("price").or_default();
        let mut others = prices
            .iter_mut()
            .filter(|price| price["id"].as_str() != for_id);
        let Some(owner) = others.find(|price| price["lookup_key"] == key) else {
            return Ok(());
        };
        if params["transfer_lookup_key"] != true {
            let refusal = Refusal::invalid("A price already has this lookup key");
            return Err(refusal.param("lookup_key"));
        }
        owner["lookup_key"] = Value::Null;
        Ok(())
    }

    pub(super) fn update_price(&mut self, call: &Call) -> Answer {
        self.claim_lookup_key(&call.params, Some(&call.id))?;
        let mut params = call.params.clone();
        params
            .as_object_mut()
            .unwrap()
            .remove("transfer_lookup_key");
        let call = Call {
            id: call.id.clone(),
            params,
            now: call.now,
            url: String::new(),
        };
        self.update("price", &call)
    }

    pub(super) fn list_prices(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.list("price", call, |price| {
            let keys = params["lookup_keys"].as_array();
            keys.is_none_or(|keys| keys.contains(&price["lookup_key"]))
                && has(price, params, "active")
                && has(price, params, "product")
        })
    }

    /// Only what is set up in the dashboard is the default.
    pub(super) fn create_configuration(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let fields = json!({
            "id": self.new_id("bpc"),
            "object": "billing_portal.configuration",
            "active": true,
            "application": null,
            "business_profile": { "headline": null, "privacy_policy_url": null, "terms_of_service_url": null },
            "created": call.now,
            "updated": call.now,
            "default_return_url": params["default_return_url"],
            "features": configured(&params["features"]),
            "is_default": false,
            "livemode": false,
            "login_page": { "enabled": false, "url": null },
            "metadata": params.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "name": params["name"],
        });
        self.keep("configuration", &fields);
        Ok(fields)
    }

    pub(super) fn update_configuration(&mut self, call: &Call) -> Answer {
        let mut params = call.params.clone();
        if let Some(features) = params.get("features") {
            params["features"] = configured(features);
        }
        let call = Call {
            id: call.id.clone(),
            params,
            now: call.now,
            url: String::new(),
        };
        self.update("configuration", &call)
    }

    pub(super) fn list_configurations(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.list("configuration", call, |it| {
            has(it, params, "active") && has(it, params, "is_default")
        })
    }

    /// The secret is told once, here.
    pub(super) fn create_endpoint(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let id = self.new_id("we");
        let version = params.get("api_version");
        let endpoint = json!({
            "id": id,
            "object": "webhook_endpoint",
            "api_version": version.cloned().unwrap_or(Value::Null),
            "application": null,
            "created": call.now,
            "description": params["description"],
            "enabled_events": params["enabled_events"],
            "livemode": false,
            "metadata": params.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "status": "enabled",
            "url": params["url"],
        });
        self.keep("endpoint", &endpoint);
        let mut told = endpoint;
        told["secret"] = json!(format!("whsec_{id}"));
        Ok(told)
    }

    pub(super) fn update_endpoint(&mut self, call: &Call) -> Answer {
        let mut params = call.params.clone();
        let disabled = params.as_object_mut().unwrap().remove("disabled");
        if let Some(disabled) = disabled {
            let status = if disabled == true {
                "disabled"
            } else {
                "enabled"
            };
            params["status"] = json!(status);
        }
        let call = Call {
            id: call.id.clone(),
            params,
            now: call.now,
            url: String::new(),
        };
        self.update("endpoint", &call)
    }

    pub(super) fn list_endpoints(&mut self, call: &Call) -> Answer {
        self.list("endpoint", call, |_| true)
    }
}

/// Features as Stripe shows them: each is there, most of them switched off.
fn configured(asked: &Value) -> Value {
    let mut features = json!({
        "customer_update": { "allowed_updates": [], "enabled": false },
        "invoice_history": { "enabled": false },
        "payment_method_update": { "enabled": false, "payment_method_configuration": null },
        "subscription_cancel": {
            "cancellation_reason": { "enabled": false, "options": [] },
            "enabled": false,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": { "enabled": false },
        "subscription_update": {
            "billing_cycle_anchor": null,
            "default_allowed_updates": [],
            "enabled": false,
            "products": null,
            "proration_behavior": "none",
            "schedule_at_period_end": { "conditions": [] },
            "trial_update_behavior": "end_trial",
        },
    });
    for (name, settings) in asked.as_object().into_iter().flatten() {
        if !features[name].is_object() {
            features[name] = json!({});
        }
        for (name_of_setting, setting) in settings.as_object().into_iter().flatten() {
            features[name][name_of_setting] = setting.clone();
        }
    }
    features
}
