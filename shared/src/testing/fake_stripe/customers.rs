//! Customers, and the pages that they are sent to.

use serde_json::{Value, json};

use super::{
    account::{Account, Answer, Call, Refusal, has},
    deletions::is_deleted,
};

/// How long an open checkout can be paid.
const CHECKOUT_SECS: i64 = 24 * 3_600;

impl Account {
    pub(super) fn create_customer(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let fields = json!({
            "id": self.new_id("cus"),
            "created": call.now,
            "name": params["name"],
            "email": params["email"],
            "metadata": params.get("metadata").cloned().unwrap_or_else(|| json!({})),
        });
        let customer = self.contract.example("customer", fields);
        self.keep("customer", &customer);
        Ok(customer)
    }

    pub(super) fn find_customer(&mut self, call: &Call) -> Answer {
        self.find("customer", &call.id)
    }

    pub(super) fn list_customers(&mut self, call: &Call) -> Answer {
        let since = call.params["created"]["gte"].as_i64();
        self.list("customer", call, |customer| {
            !is_deleted(customer) && customer["created"].as_i64() >= since
        })
    }

    pub(super) fn update_customer(&mut self, call: &Call) -> Answer {
        self.find_standing_customer(&call.id)?;
        self.update("customer", call)
    }

    /// Knows one question, `metadata['name']:'value'`
    /// (<https://docs.stripe.com/search#query-fields-for-customers>), and finds what is a minute old.
    pub(super) fn search_customers(&mut self, call: &Call) -> Answer {
        let query = call.params["query"].as_str().unwrap_or_default();
        let parts = query.strip_prefix("metadata['").and_then(|rest| {
            let (name, value) = rest.split_once("']:'")?;
            Some((name, value.strip_suffix('\'')?))
        });
        let Some((name, value)) = parts else {
            return Err(Refusal::invalid("The query cannot be read").param("query"));
        };
        let customers = self.all("customer").iter();
        let customers = customers.filter(|customer| !is_deleted(customer));
        let customers = self.indexed_deletions(call.now).chain(customers);
        let customers = customers.filter(|customer| {
            let is_indexed = customer["created"].as_i64() <= Some(call.now - 60);
            is_indexed && customer["metadata"][name] == value
        });
        let found: Vec<&Value> = customers.collect();
        Ok(json!({
            "object": "search_result",
            "data": found,
            "has_more": false,
            "next_page": null,
            "url": "/v1/customers/search",
        }))
    }

    pub(super) fn create_checkout(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let customer = params["customer"].as_str().unwrap_or_default();
        if self.find_standing_customer(customer).is_err() {
            return Err(Refusal::missing("customer", customer).param("customer"));
        }
        if params["mode"] != "subscription" || !params["success_url"].is_string() {
            return Err(Refusal::invalid("This fake sells subscriptions only"));
        }
        self.check_items(&params["line_items"])?;
        let id = self.new_id("cs_test");
        let fields = json!({
            "id": id,
            "mode": "subscription",
            "status": "open",
            "payment_status": "unpaid",
            "customer": customer,
            "client_reference_id": params["client_reference_id"],
            "metadata": params["metadata"],
            "success_url": params["success_url"],
            "cancel_url": params["cancel_url"],
            "subscription": null,
            "created": call.now,
            "expires_at": call.now + CHECKOUT_SECS,
            "url": format!("{}/checkout/{id}", call.url),
            "allowed_payment_method_types": null,
        });
        let session = self.contract.example("checkout.session", fields);
        self.keep("checkout", &session);
        // What the customer agrees to is no part of the object.
        self.keep("order", &json!({ "id": id, "params": params }));
        Ok(session)
    }

    pub(super) fn list_checkouts(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.refuse_deleted(params)?;
        self.list("checkout", call, |session| {
            has(session, params, "customer") && has(session, params, "status")
        })
    }

    pub(super) fn expire_checkout(&mut self, call: &Call) -> Answer {
        let session = self.find_mut("checkout", &call.id)?;
        if session["status"] != "open" || session["payment_status"] != "unpaid" {
            return Err(Refusal::invalid("Only open sessions can be expired"));
        }
        session["status"] = json!("expired");
        session["url"] = Value::Null;
        Ok(session.clone())
    }

    /// A page takes prices of one interval only.
    fn check_items(&self, items: &Value) -> Result<(), Refusal> {
        let mut intervals = Vec::new();
        for item in items.as_array().into_iter().flatten() {
            self.check_item(item)?;
            let price = self.find("price", item["price"].as_str().unwrap_or_default())?;
            intervals.push(price["recurring"]["interval"].clone());
        }
        intervals.dedup();
        match intervals.len() {
            0 | 1 => Ok(()),
            _ => Err(Refusal::invalid("All prices need the same interval").param("line_items")),
        }
    }

    pub(super) fn check_item(&self, item: &Value) -> Result<(), Refusal> {
        let id = item["price"].as_str().unwrap_or_default();
        let price = self.find("price", id);
        let price = price.map_err(|_| Refusal::missing("price", id).param("line_items"))?;
        if price["active"] != true {
            return Err(Refusal::invalid("The price is inactive").param("line_items"));
        }
        let is_metered = price["recurring"]["usage_type"] == "metered";
        match (is_metered, item["quantity"].is_number()) {
            (true, true) => Err(Refusal::invalid("A metered price takes no quantity")),
            (false, false) => Err(Refusal::invalid("Quantity is required")),
            _ => Ok(()),
        }
    }

    pub(super) fn create_portal(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        let customer = params["customer"].as_str().unwrap_or_default();
        if self.find_standing_customer(customer).is_err() {
            return Err(Refusal::missing("customer", customer).param("customer"));
        }
        let mut configurations = self.all("configuration").iter();
        let asked = configurations.find(|it| match params["configuration"].as_str() {
            Some(id) => it["id"] == id,
            None => it["is_default"] == true,
        });
        let Some(configuration) = asked.map(|it| it["id"].clone()) else {
            let message = "No configuration provided and your test mode default configuration \
                           has not been created";
            return Err(Refusal::invalid(message));
        };
        let id = self.new_id("bps");
        let fields = json!({
            "id": id,
            "customer": customer,
            "configuration": configuration,
            "return_url": params["return_url"],
            "created": call.now,
            "flow": null,
            "url": format!("{}/portal/{id}", call.url),
        });
        let session = self.contract.example("billing_portal.session", fields);
        self.keep("portal", &session);
        Ok(session)
    }

    pub(super) fn list_invoices(&mut self, call: &Call) -> Answer {
        let params = &call.params;
        self.refuse_deleted(params)?;
        self.list("invoice", call, |invoice| {
            has(invoice, params, "customer") && has(invoice, params, "status")
        })
    }

    pub(super) fn find_invoice(&mut self, call: &Call) -> Answer {
        self.find("invoice", &call.id)
    }
}
