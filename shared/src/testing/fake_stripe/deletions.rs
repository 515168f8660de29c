//! Customers that somebody deletes in the dashboard
//! (<https://docs.stripe.com/api/customers/delete>).

use serde_json::{Value, json};

use super::{
    FakeStripe,
    account::{Account, Answer, Refusal},
};

/// How long the search still knows one.
const INDEXED_SECS: i64 = 60;

impl FakeStripe {
    /// Deletes a customer, as somebody in the dashboard may: its subscriptions end.
    ///
    /// # Panics
    /// Panics when there is no such customer.
    pub fn delete_customer(&self, id: &str) {
        let now = self.now();
        self.account().delete_customer(id, now).unwrap();
    }
}

impl Account {
    fn delete_customer(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let was = self.find_standing_customer(id)?;
        self.keep("deleted", &json!({ "at": now, "was": was }));
        *self.find_mut("customer", id)? =
            json!({ "id": id, "object": "customer", "deleted": true });
        let subscriptions = self.all("subscription").iter();
        let standing =
            subscriptions.filter(|it| it["customer"] == id && it["status"] != "canceled");
        let ids: Vec<_> = standing
            .filter_map(|it| it["id"].as_str().map(str::to_owned))
            .collect();
        for subscription in ids {
            self.set_status(&subscription, "canceled", now)?;
        }
        Ok(())
    }

    /// A customer that something can be done with.
    pub(super) fn find_standing_customer(&self, id: &str) -> Answer {
        let found = self.find("customer", id)?;
        match is_deleted(&found) {
            false => Ok(found),
            true => Err(Refusal::missing("customer", id)),
        }
    }

    /// Refuses a question about what a deleted customer has.
    pub(super) fn refuse_deleted(&self, params: &Value) -> Result<(), Refusal> {
        let id = params["customer"].as_str().unwrap_or_default();
        match self.find("customer", id) {
            Ok(found) if is_deleted(&found) => {
                Err(Refusal::missing("customer", id).param("customer"))
            }
            _ => Ok(()),
        }
    }

    /// What the search still has of them.
    pub(super) fn indexed_deletions(&self, now: i64) -> impl Iterator<Item = &Value> {
        let deleted = self.all("deleted").iter();
        let indexed = deleted.filter(move |it| it["at"].as_i64() > Some(now - INDEXED_SECS));
        indexed.map(|it| &it["was"])
    }
}

/// Whether this is all that is left of a customer.
pub(super) fn is_deleted(customer: &Value) -> bool {
    customer["deleted"] == true
}
