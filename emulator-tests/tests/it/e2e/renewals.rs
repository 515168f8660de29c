//! Real processes that share one Google account: its token is renewed once, and who comes late
//! changes nothing.

use std::{sync::Arc, time::Duration};

use emulator_tests::{
    client::http_client,
    emulators::firestore::{EmbeddedFirestore, FirestoreOptions},
    faults::{
        chance::Chance,
        events::{Deliverer, Event, trigger},
        fleet::Fleet,
        plan::Plan,
        process::Launch,
        witness::Witness,
    },
    stubs::google::Google,
};
use futures::future::join_all;
use serde_json::json;
use shared::{
    actions,
    clock::{Clock, SystemClock},
    config::Env,
    ids::{IntegrationId, OrgId, Uid},
    models::{ExecutionStatus, Organization, SubscriptionTier, Timestamp},
    store::{Store, integrations, organizations, triggers, workflows},
    vault::{Call, Vault},
};

use super::{
    PATIENCE,
    google::{connect, hub, start_google},
    processes::{VARIABLES, services_dir},
    rotation::keys::Keys,
};
use crate::document_db::{PROJECT_ID, connect as connect_store};

const SEARCH: &str = "google.gmail.search";
const PROCESSES: usize = 3;
/// Runs that want the token at the same time.
const RUNS: usize = 100;

/// Three processes of `execute-workflow`, and an account whose access token has expired.
struct World {
    fleet: Fleet,
    deliverer: Deliverer,
    google: Google,
    witness: Arc<Witness>,
    store: Store,
    vault: Vault,
    org_id: OrgId,
    integration_id: IntegrationId,
    _keys: Keys,
    firestore: EmbeddedFirestore,
}

impl World {
    async fn start() -> Self {
        let (google, keys, witness) = (start_google().await, Keys::new(), Arc::default());
        let options = FirestoreOptions {
            port: 0,
            project_id: PROJECT_ID.to_owned(),
            rules_source: include_str!("../../../../firestore.rules").to_owned(),
            data_dir: None,
        };
        let firestore = EmbeddedFirestore::start_on(Arc::clone(&witness) as _, options).await;
        let firestore = firestore.unwrap();
        let store = Store::new(Arc::new(connect_store(&firestore)));
        let variables = variables(&google, &keys, &firestore);
        let vault = hub(&Env::from_pairs(variables.clone()), &store);
        let (org_id, uid) = (OrgId::parse("o1").unwrap(), Uid::parse("u1").unwrap());
        store.commit(found(&org_id)).await.unwrap();
        let integration_id = connect((&vault, &store), (&org_id, &uid), "expired", -1).await;
        let launch = Launch {
            program: services_dir().join("execute-workflow"),
            variables,
            log: None,
        };
        let (http, chance) = (http_client().unwrap(), Chance::new(0, "fleet"));
        let fleet = Fleet::start(vec![launch; PROCESSES], http.clone(), chance.clone()).await;
        let fleet = fleet.unwrap();
        Self {
            deliverer: Deliverer::new(fleet.clone(), http, chance),
            fleet,
            google,
            witness,
            store,
            vault,
            org_id,
            integration_id,
            _keys: keys,
            firestore,
        }
    }

    /// Events of so many runs.
    async fn record(&self, count: usize) -> Vec<Event> {
        let now = Timestamp::from(SystemClock.now());
        let plan = plan();
        let triggers = (0..count).map(|number| trigger(&plan, &self.org_id, number, now));
        let triggers: Vec<_> = triggers.collect();
        let writes = triggers.iter().map(triggers::create);
        let writes = writes.collect::<Result<_, _>>().unwrap();
        self.store.commit(writes).await.unwrap();
        triggers.iter().map(|one| Event::of(one).unwrap()).collect()
    }

    /// Has a process run an event to its end.
    async fn run(&self, process: usize, event: &Event) {
        let url = self.fleet.hold(process).await.unwrap().url();
        assert!(self.deliverer.deliver_once(&url, event).await, "{event:?}");
        let status = self.witness.status(&event.id);
        assert_eq!(status, Some(ExecutionStatus::Succeeded));
    }

    /// Waits until so many runs were begun.
    async fn wait_for_runs(&self, count: usize) {
        let look = async {
            let mut interval = tokio::time::interval(Duration::from_millis(5));
            while self.witness.progress().0 < count {
                interval.tick().await;
            }
        };
        let begun = tokio::time::timeout(PATIENCE, look).await;
        begun.expect("the runs are not begun");
    }

    /// Ends the lease of the renewal, as time would.
    async fn end_lease(&self) {
        let found = self
            .store
            .find_integration(&self.org_id, &self.integration_id);
        let mut integration = found.await.unwrap().unwrap();
        let now = Timestamp::from(SystemClock.now());
        integration.value.renewal.until = Some(now.plus_seconds(-1));
        let writes = integrations::replace(&integration).unwrap();
        self.store.commit(writes.into()).await.unwrap();
    }

    /// Access tokens that Google was called with, oldest first.
    fn used(&self) -> Vec<String> {
        let calls = self.google.calls().into_iter();
        calls.map(|call| call.token).collect()
    }
}

fn variables(google: &Google, keys: &Keys, firestore: &EmbeddedFirestore) -> Vec<(String, String)> {
    let fixed = VARIABLES.map(|(name, value)| (name, value.to_owned()));
    let fixed = fixed.into_iter().filter(|(name, _)| *name != HOST);
    let key_file = keys.path().to_str().unwrap().to_owned();
    let own = [
        (HOST, firestore.host()),
        ("LOCAL_CREDENTIALS_KEY_FILE", key_file),
    ];
    let all = fixed.chain(own).chain(google.variables());
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

const HOST: &str = "FIRESTORE_EMULATOR_HOST";

fn plan() -> Plan {
    let node = |id: &str, kind: &str, data| json!({ "id": id, "type": kind, "position": { "x": 0, "y": 0 }, "data": data });
    let edge =
        |source: &str, target: &str| json!({ "id": source, "source": source, "target": target });
    Plan {
        name: "search",
        nodes: vec![
            node("start", "trigger", json!({})),
            node("work", SEARCH, json!({ "query": "is:unread" })),
            node("end", "output", json!({})),
        ],
        edges: vec![edge("start", "work"), edge("work", "end")],
    }
}

/// The organization and its workflow.
fn found(org_id: &OrgId) -> Vec<shared::store::Write> {
    let now = SystemClock.now().into();
    let organization = Organization {
        subscription_tier: SubscriptionTier::Enterprise,
        ..Organization::new(org_id.clone(), "Renewals".to_owned(), now)
    };
    let workflow = plan().workflow(org_id);
    vec![
        organizations::create(&organization).unwrap(),
        workflows::create(&workflow).unwrap(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_runs_in_three_processes_renew_an_expired_token_once() {
    let world = World::start().await;
    let events = world.record(RUNS).await;
    let oauth = world.google.oauth();
    oauth.hold_next();
    let runs = events.iter().enumerate();
    let runs = runs.map(|(number, event)| world.run(number % PROCESSES, event));
    let let_go = async {
        oauth.wait_for_held().await;
        world.wait_for_runs(RUNS).await;
        oauth.let_go();
    };
    tokio::join!(join_all(runs), let_go);
    assert_eq!(oauth.refreshes(), 1);
    assert_eq!(world.used(), vec!["token-refreshed-1"; RUNS]);
    assert_eq!(world.google.problems(), Vec::<String>::new());
    world.firestore.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_frozen_past_its_lease_does_not_overwrite_the_newer_token() {
    let world = World::start().await;
    let events = world.record(2).await;
    let oauth = world.google.oauth();
    oauth.hold_next();
    let others = async {
        oauth.wait_for_held().await;
        let frozen = world.fleet.hold(0).await.unwrap();
        frozen.freeze();
        world.end_lease().await;
        oauth.let_go();
        world.run(1, &events[1]).await;
        assert_eq!(world.used(), ["token-refreshed-2"]);
        frozen.thaw();
    };
    tokio::join!(world.run(0, &events[0]), others);
    assert_eq!(oauth.refreshes(), 2);
    let call = Call {
        org_id: &world.org_id,
        integration_id: None,
        action: actions::find(SEARCH).unwrap(),
        input: &json!({ "query": "x" }),
        idempotency_key: "k1",
        at_most_once: false,
    };
    world.vault.perform(&call).await.unwrap();
    assert_eq!(world.used(), vec!["token-refreshed-2"; 3]);
    assert_eq!(oauth.refreshes(), 2, "the token that is kept is good");
    world.firestore.shutdown().await;
}
