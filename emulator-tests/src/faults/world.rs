//! Everything that a scenario runs in: store, network, sinks, workers, events and ticks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use execute_workflow::fault_points::Flaw;
use shared::{
    clock::{Clock, SystemClock},
    config::{Env, ServiceConfig},
    ids::OrgId,
    models::{Limits, Organization, SubscriptionTier, Timestamp},
    store::{Store, firestore::Firestore, organizations, triggers, workflows},
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chance::Chance;
use super::checker::Evidence;
use super::events::{Deliverer, Event, trigger};
use super::fleet::Fleet;
use super::gate::Gate;
use super::pause::until;
use super::plan::Plan;
use super::process::Launch;
use super::proxy::FaultProxy;
use super::sinks::{HOST, SinkOptions, Sinks};
use super::witness::Witness;
use super::worker::{CLOCK_SKEW, FLAW, FaultRates, RATES, SEED};
use crate::client::http_client;
use crate::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};
use crate::stubs::openai::{OpenAi, OpenAiOptions};
use crate::stubs::tasks::{Tasks, TasksOptions};

const PROJECT_ID: &str = "demo-faults";
/// The queue of executions, as Cloud Tasks names it.
const QUEUE: &str = "projects/demo-faults/locations/local/queues/executions";
/// How many of the queue's deliveries are made twice.
const DUPLICATES: f64 = 0.2;
const RULES: &str = include_str!("../../../firestore.rules");
/// Cloud Scheduler ticks once a minute; a lease of seconds needs ticks of seconds.
const TICK: Duration = Duration::from_secs(1);
/// Documents written in one commit while a scenario is set up.
const BATCH: usize = 100;
/// More than any scenario uses: quotas are tested elsewhere.
const MONTHLY_TOKENS: i64 = 1_000_000_000;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The worker's program.
    pub program: PathBuf,
    /// What decides all chance.
    pub seed: u64,
    /// How far the clock of each worker is ahead, in seconds.
    pub clocks: Vec<i64>,
    /// How long a lease holds, in seconds.
    pub lease_secs: u64,
    /// How the store fails.
    pub store_rates: FaultRates,
    /// How the sinks fail.
    pub sink_rates: FaultRates,
    /// The rule of the engine that is broken, if any.
    pub flaw: Option<Flaw>,
    /// What runs.
    pub plans: Vec<Plan>,
}

/// A running world; dropping it ends the workers.
pub struct World {
    /// The workers.
    pub fleet: Fleet,
    /// The sinks.
    pub sinks: Sinks,
    /// The network between workers and store.
    pub proxy: FaultProxy,
    /// The store's memory.
    pub witness: Arc<Witness>,
    /// Delivers events.
    pub deliverer: Deliverer,
    /// The store, without faults.
    pub store: Store,
    /// The organization that everything belongs to.
    pub org_id: OrgId,
    plans: Vec<Plan>,
    revived: Arc<AtomicUsize>,
    stop: CancellationToken,
    _outside: Outside,
    _firestore: EmbeddedFirestore,
}

/// What the workers reach beside the sinks and the store.
struct Outside {
    llm: OpenAi,
    queue: Tasks,
    gate: Gate,
}

impl Setup {
    /// Three workers without any fault, with leases of two seconds.
    #[must_use]
    pub fn new(program: PathBuf, seed: u64, plans: Vec<Plan>) -> Self {
        Self {
            program,
            seed,
            clocks: vec![0; 3],
            lease_secs: 2,
            store_rates: FaultRates::default(),
            sink_rates: FaultRates::default(),
            flaw: None,
            plans,
        }
    }

    fn chance(&self, part: &str) -> Chance {
        Chance::new(self.seed, part)
    }
}

impl World {
    /// Starts everything and returns when all workers answer.
    ///
    /// # Errors
    /// Returns what could not be started.
    pub async fn start(setup: Setup) -> Result<Self> {
        let witness = Arc::new(Witness::default());
        let options = FirestoreOptions {
            port: 0,
            project_id: PROJECT_ID.to_owned(),
            rules_source: RULES.to_owned(),
            data_dir: None,
        };
        let firestore = EmbeddedFirestore::start_on(witness.clone(), options).await?;
        let proxy = FaultProxy::start(firestore.address()).await?;
        let http = http_client()?;
        let outside = Outside::start(http.clone()).await?;
        let (sinks, deaths) = Sinks::start(SinkOptions {
            workers: setup.clocks.len(),
            rates: setup.sink_rates,
            chance: setup.chance("sinks"),
            witness: Arc::clone(&witness),
        })
        .await?;
        let launches = launches(&setup, &sinks, &proxy, &outside)?;
        let store = direct_store(&firestore)?;
        let org_id = OrgId::derive(&["faults"]);
        let writes = found(&org_id, &setup.plans)?;
        store.commit(writes).await?;
        let fleet = Fleet::start(launches, http.clone(), setup.chance("fleet")).await?;
        outside.gate.open(fleet.clone())?;
        let deliverer = Deliverer::new(fleet.clone(), http.clone(), setup.chance("events"));
        let (stop, revived) = (CancellationToken::new(), Arc::default());
        start_tasks(&fleet, http, deaths, &stop, &revived);
        Ok(Self {
            fleet,
            sinks,
            proxy,
            witness,
            deliverer,
            store,
            org_id,
            plans: setup.plans,
            revived,
            stop,
            _outside: outside,
            _firestore: firestore,
        })
    }

    /// Writes `count` triggers of a plan, from `first` on, and gives their events.
    ///
    /// # Errors
    /// When the store does not take them.
    pub async fn record(&self, plan: &Plan, first: usize, count: usize) -> Result<Vec<Event>> {
        let now = Timestamp::from(SystemClock.now());
        let triggers: Vec<_> = (first..first + count)
            .map(|number| trigger(plan, &self.org_id, number, now))
            .collect();
        for batch in triggers.chunks(BATCH) {
            let writes = batch
                .iter()
                .map(triggers::create)
                .collect::<Result<_, _>>()?;
            self.store.commit(writes).await?;
        }
        triggers.iter().map(Event::of).collect()
    }

    /// Waits until the executions of all events have ended, for at most `patience`; the checker
    /// finds those that have not.
    pub async fn settle(&self, events: &[Event], patience: Duration) {
        let all_ended = || {
            let has_ended = |event: &Event| {
                let status = self.witness.status(&event.id);
                status.is_some_and(|status| status.is_terminal())
            };
            events.iter().all(has_ended).then_some(())
        };
        let _ = until("all executions end", patience, all_ended).await;
    }

    /// What the store and the sinks know.
    ///
    /// # Errors
    /// When a document cannot be read.
    pub fn evidence(&self) -> Result<Evidence> {
        let acknowledged: BTreeSet<String> = self.deliverer.acknowledged();
        Ok(Evidence {
            plans: self.plans.clone(),
            history: self.witness.history()?,
            calls: self.sinks.calls(),
            acknowledged,
            now: Some(SystemClock.now().into()),
        })
    }

    /// Workers that ended by themselves, which none should.
    #[must_use]
    pub fn revived(&self) -> usize {
        self.revived.load(Ordering::Relaxed)
    }
}

impl Outside {
    async fn start(http: reqwest::Client) -> Result<Self> {
        let queue = TasksOptions {
            port: 0,
            queue: QUEUE.to_owned(),
            duplicates: DUPLICATES,
        };
        Ok(Self {
            llm: OpenAi::start(OpenAiOptions::default()).await?,
            queue: Tasks::start(queue).await?,
            gate: Gate::start(http).await?,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn direct_store(firestore: &EmbeddedFirestore) -> Result<Store> {
    let env = Env::from_pairs([
        ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
        ("FIRESTORE_EMULATOR_HOST", firestore.host()),
    ]);
    let config = ServiceConfig::load(&env)?;
    Ok(Store::new(Arc::new(Firestore::new(&config))))
}

/// The organization and its workflows.
fn found(org_id: &OrgId, plans: &[Plan]) -> Result<Vec<shared::store::Write>> {
    let organization = Organization {
        subscription_tier: SubscriptionTier::Enterprise,
        limits: Limits {
            monthly_tokens: Some(MONTHLY_TOKENS),
            ..Limits::default()
        },
        ..Organization::new(
            org_id.clone(),
            "Faults".to_owned(),
            SystemClock.now().into(),
        )
    };
    let mut writes = vec![organizations::create(&organization)?];
    for plan in plans {
        writes.push(workflows::create(&plan.workflow(org_id))?);
    }
    Ok(writes)
}

fn launches(
    setup: &Setup,
    sinks: &Sinks,
    proxy: &FaultProxy,
    outside: &Outside,
) -> Result<Vec<Launch>> {
    let logs = Env::from_process()
        .optional("FAULT_LOGS")
        .map(PathBuf::from);
    let launch = |(number, skew): (usize, &i64)| {
        let sink = sinks.address(number)?;
        let mut variables = BTreeMap::from([
            ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
            ("FIRESTORE_EMULATOR_HOST", proxy.address().to_string()),
            ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:1".to_owned()),
            ("OPENAI_API_KEY", "local".to_owned()),
            ("OPENAI_BASE_URL", outside.llm.base_url()),
            ("CLOUD_TASKS_EMULATOR_HOST", outside.queue.host()),
            ("TASKS_QUEUE", QUEUE.to_owned()),
            ("TASKS_TARGET_URL", outside.gate.url()),
            ("SENDGRID_API_KEY", "local".to_owned()),
            ("EMAIL_FROM", "hello@infinity-x.localhost".to_owned()),
            ("LOCAL_MAC_KEY", "local".to_owned()),
            ("APP_URL", "http://localhost:5173".to_owned()),
            ("EGRESS_HOST_OVERRIDES", format!("{HOST}={sink}")),
            ("LEASE_SECS", setup.lease_secs.to_string()),
            (CLOCK_SKEW, skew.to_string()),
            (RATES, setup.store_rates.to_string()),
            (SEED, setup.seed.wrapping_add(number as u64).to_string()),
        ]);
        if let Some(flaw) = setup.flaw {
            variables.insert(FLAW, flaw.as_str().to_owned());
        }
        anyhow::Ok(Launch {
            program: setup.program.clone(),
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            log: logs
                .as_ref()
                .map(|logs| logs.join(format!("worker-{number}.log"))),
        })
    };
    let launches: Result<Vec<_>> = setup.clocks.iter().enumerate().map(launch).collect();
    launches.context("a worker cannot be described")
}

fn start_tasks(
    fleet: &Fleet,
    http: reqwest::Client,
    deaths: UnboundedReceiver<usize>,
    stop: &CancellationToken,
    revived: &Arc<AtomicUsize>,
) {
    let tasks = TaskTracker::new();
    let ticks = tick(fleet.clone(), http, tasks.clone(), stop.clone());
    tasks.spawn(stop.clone().run_until_cancelled_owned(ticks));
    let revivals = revive(fleet.clone(), Arc::clone(revived));
    tasks.spawn(stop.clone().run_until_cancelled_owned(revivals));
    let poisonings = poison(fleet.clone(), deaths);
    tasks.spawn(stop.clone().run_until_cancelled_owned(poisonings));
}

/// The scheduler's ticks. A tick is not waited for: the worker that takes it may be killed, and
/// the next one makes up for it.
async fn tick(fleet: Fleet, http: reqwest::Client, tasks: TaskTracker, stop: CancellationToken) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for path in ["sweep", "schedule"] {
            if let Some(url) = fleet.any() {
                let request = http.post(format!("{url}/{path}"));
                let sent = async move { drop(request.send().await) };
                tasks.spawn(stop.clone().run_until_cancelled_owned(sent));
            }
        }
    }
}

async fn revive(fleet: Fleet, revived: Arc<AtomicUsize>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match fleet.revive().await {
            Ok(count) => {
                revived.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "a worker cannot be started again"),
        }
    }
}

/// Kills whoever has called a poisoned sink.
async fn poison(fleet: Fleet, mut deaths: UnboundedReceiver<usize>) {
    while let Some(number) = deaths.recv().await {
        let kill = async {
            let mut worker = fleet.hold(number).await?;
            worker.kill().await?;
            worker.restart().await
        };
        if let Err(error) = kill.await {
            tracing::error!(%error, "a worker cannot be killed");
        }
    }
}
