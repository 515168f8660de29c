//! Events at least once: what Eventarc and Cloud Scheduler do in production.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use firestore::{
    FirestoreDb, FirestoreListenEvent, FirestoreListener, FirestoreListenerTarget,
    FirestoreMemListenStateStorage,
};
use shared::{
    events::encode_written,
    retry::{Policy, Transient, retry},
    store::firestore::Firestore,
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc::UnboundedReceiver},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    emulators::sign_in::{SignIn, UserCreated},
    stubs::pub_sub::PubSub,
};

/// Deliveries under way at once.
const MAX_PARALLEL: usize = 16;
/// Cloud Scheduler ticks once a minute; locally nobody wants to wait so long.
const TICK: Duration = Duration::from_secs(1);

/// Cloud Scheduler publishes a tick every 15 minutes.
const SYNC_TICK: Duration = Duration::from_secs(2);

/// Cloud Scheduler ticks once a night.
const NIGHT: Duration = Duration::from_secs(60);

type Listener = FirestoreListener<FirestoreDb, FirestoreMemListenStateStorage>;

/// What events come from, beside the database.
pub(crate) struct Sources {
    /// Where users sign up, unless it is Google's emulator.
    pub(crate) sign_in: Option<Arc<SignIn>>,
    /// The topic of syncs, unless another one is named.
    pub(crate) topic: Option<Arc<PubSub>>,
    /// Whether Cloud Scheduler ticks.
    pub(crate) has_schedules: bool,
}

/// Deliveries that go on until they are stopped.
pub(crate) struct Delivery {
    tasks: Tasks,
    listener: Listener,
}

/// Tasks that end wherever they are when they are stopped.
#[derive(Clone, Default)]
struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

/// Sends events to the functions.
#[derive(Clone)]
struct Sender {
    client: reqwest::Client,
    functions_url: String,
    project_id: String,
    parallel: Arc<Semaphore>,
}

/// A function did not acknowledge an event.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the function answered {0}")]
    Status(reqwest::StatusCode),
    #[error("the function cannot be reached")]
    Unreachable(#[from] reqwest::Error),
}

impl Transient for Refused {
    fn is_transient(&self) -> bool {
        true
    }
}

/// What Terraform has Cloud Scheduler call, and how often.
const SCHEDULES: [(&str, Duration); 7] = [
    ("execute-workflow/schedule", TICK),
    ("execute-workflow/sweep", TICK),
    ("deploy-agent/sweep", TICK),
    ("handle-stripe-webhook/meter", TICK),
    ("handle-stripe-webhook/sweep", TICK),
    ("handle-stripe-webhook/reconcile", NIGHT),
    ("handle-stripe-webhook/reconcile-usage", NIGHT),
];

impl Delivery {
    /// Starts to listen and to deliver.
    pub(crate) async fn start(
        functions_url: String,
        project_id: String,
        firestore: &Firestore,
        sources: Sources,
    ) -> Result<Self> {
        let tasks = Tasks::default();
        let parallel = Arc::new(Semaphore::new(MAX_PARALLEL));
        let client = reqwest::Client::builder().no_proxy().build()?;
        let sender = Sender {
            client,
            functions_url,
            project_id,
            parallel,
        };
        if let Some(topic) = sources.topic.filter(|_| sources.has_schedules) {
            tasks.spawn(tick_topic(topic));
        }
        if let Some(sign_in) = sources.sign_in {
            let created = sign_in.take_user_created();
            tasks.spawn(deliver_users(
                sender.clone(),
                sign_in,
                created,
                tasks.clone(),
            ));
        }
        // A task each: a run that is resumed by the sweep may be slow, a schedule must not wait.
        let schedules = SCHEDULES.into_iter().filter(|_| sources.has_schedules);
        for (function, period) in schedules {
            tasks.spawn(tick(sender.clone(), function, period));
        }
        let listener = listen_to_writes(firestore, sender, tasks.clone()).await?;
        Ok(Self { tasks, listener })
    }

    /// Stops; events under way are delivered again at the next start.
    pub(crate) async fn stop(mut self) {
        self.tasks.stop.cancel();
        let _ = self.listener.shutdown().await;
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(stop.run_until_cancelled_owned(task));
    }
}

impl Sender {
    /// Sends a request until the function acknowledges it.
    async fn deliver(
        &self,
        build: impl Fn(&Self) -> reqwest::RequestBuilder,
    ) -> Result<(), Refused> {
        let result = retry(redelivery(), async || {
            // Not held over the pauses: an event that is refused must not keep others back.
            let _permit = self.parallel.acquire().await;
            let response = build(self).send().await?;
            if response.status().is_success() {
                Ok(())
            } else {
                Err(Refused::Status(response.status()))
            }
        })
        .await;
        result.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "event given up");
        })
    }

    fn post(&self, function: &str) -> reqwest::RequestBuilder {
        self.client
            .post(format!("{}/{function}", self.functions_url))
    }

    /// Headers of a binary-mode CloudEvent
    /// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).
    fn event(&self, function: &str, id: &str, kind: &str, source: &str) -> reqwest::RequestBuilder {
        self.post(function)
            .header("ce-specversion", "1.0")
            .header("ce-id", id)
            .header("ce-type", kind)
            .header(
                "ce-source",
                format!("//{source}/projects/{}", self.project_id),
            )
    }
}

/// The ticks of the sync's topic.
async fn tick_topic(topic: Arc<PubSub>) {
    let mut interval = tokio::time::interval(SYNC_TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // A tick that is not taken yet is enough.
        if topic.counts().is_idle() {
            topic.publish(&[("kind", "tick")], b"");
        }
    }
}

async fn deliver_users(
    sender: Sender,
    sign_in: Arc<SignIn>,
    mut created: UnboundedReceiver<UserCreated>,
    tasks: Tasks,
) {
    while let Some(user) = created.recv().await {
        let (sender, sign_in) = (sender.clone(), Arc::clone(&sign_in));
        tasks.spawn(async move { deliver_user(&sender, &sign_in, &user).await });
    }
}

async fn deliver_user(sender: &Sender, sign_in: &SignIn, user: &UserCreated) {
    let data = serde_json::json!({ "value": {
        "uid": user.uid,
        "email": user.email,
        "emailVerified": user.email_verified,
        "displayName": user.display_name,
        "metadata": { "createTime": user.created_at },
    }});
    let kind = "google.firebase.auth.user.v2.created";
    let delivered = sender
        .deliver(|sender| {
            sender
                .event(
                    "on-user-create",
                    &user.uid,
                    kind,
                    "firebaseauth.googleapis.com",
                )
                .header("ce-subject", format!("users/{}", user.uid))
                .json(&data)
        })
        .await;
    if delivered.is_ok()
        && let Err(error) = sign_in.mark_delivered(&user.uid)
    {
        tracing::warn!(%error, "a sign-up will be delivered again");
    }
}

/// Collections whose writes are events, and which function's.
const EVENTFUL: [(&str, &str); 3] = [
    ("triggers", ENGINE),
    ("wakeups", ENGINE),
    ("agents", "deploy-agent/events"),
];

/// Hears of each document once. Of agents, each change is an event.
const ENGINE: &str = "execute-workflow";

/// A listener sees all documents when it begins, so that a restart delivers every trigger again:
/// the function must not mind, and the suites see that it does not. It sees no deletions: what they
/// leave to do is found by the sweep.
async fn listen_to_writes(firestore: &Firestore, sender: Sender, tasks: Tasks) -> Result<Listener> {
    let db = firestore.client().await?;
    let mut listener = db
        .create_listener(FirestoreMemListenStateStorage::new())
        .await?;
    for ((collection, _), target) in EVENTFUL.into_iter().zip(1..) {
        db.fluent()
            .select()
            .from(collection)
            .listen()
            .add_target(FirestoreListenerTarget::new(target), &mut listener)?;
    }
    let delivered = Arc::new(Mutex::new(HashSet::new()));
    let on_event = move |event| {
        let (sender, tasks) = (sender.clone(), tasks.clone());
        let delivered = Arc::clone(&delivered);
        async move {
            if let FirestoreListenEvent::DocumentChange(change) = event
                && let Some(document) = change.document
                && let Some((path, function)) = recipient(&document.name)
                && (function != ENGINE || delivered.lock().await.insert(path.clone()))
            {
                tasks.spawn(async move {
                    deliver_written(&sender, function, &path, document).await;
                });
            }
            Ok(())
        }
    };
    listener
        .start(on_event)
        .await
        .context("cannot listen to writes")?;
    Ok(listener)
}

/// The path of a document, and the function that hears of it.
fn recipient(name: &str) -> Option<(String, &'static str)> {
    let (_, path) = name.split_once("/documents/")?;
    let (collection, _) = path.split_once('/')?;
    let mut recipients = EVENTFUL.into_iter();
    let (_, function) = recipients.find(|(eventful, _)| *eventful == collection)?;
    Some((path.to_owned(), function))
}

async fn deliver_written(
    sender: &Sender,
    function: &str,
    path: &str,
    document: firestore::FirestoreDocument,
) {
    let body = encode_written(Some(document), None);
    let kind = "google.cloud.firestore.document.v1.written";
    // Nothing remembers that it was given up: the next start delivers it again.
    let _ = sender
        .deliver(|sender| {
            sender
                .event(
                    function,
                    &path.replace('/', "-"),
                    kind,
                    "firestore.googleapis.com",
                )
                .header("ce-subject", format!("documents/{path}"))
                .header("ce-document", path)
                .header("content-type", "application/protobuf")
                .body(body.clone())
        })
        .await;
}

async fn tick(sender: Sender, function: &str, period: Duration) {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // A missed tick is made up for by the next one.
        let _ = sender.post(function).send().await;
    }
}

/// Like Eventarc, but quicker (<https://cloud.google.com/eventarc/docs/retry-events>).
fn redelivery() -> Policy {
    let (first, longest) = (Duration::from_millis(50), Duration::from_secs(5));
    Policy::new(1_000, first, longest, Duration::from_hours(1)).unwrap_or(Policy::REMOTE_CALL)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::SCHEDULES;

    /// What follows `key = "` in a line, up to the quote.
    fn text_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
        let (_, rest) = line.split_once(key)?;
        rest.trim_start().strip_prefix("= \"")?.split('"').next()
    }

    #[test]
    fn what_cloud_scheduler_calls_is_called_here_too() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/modules/platform");
        let mut scheduled = BTreeSet::new();
        for file in fs::read_dir(root).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let mut name = "";
            for line in text.lines() {
                if line.starts_with("  name ") {
                    name = text_of(line, "name").unwrap_or(name);
                }
                if line.contains("cron =")
                    && let Some(path) = text_of(line, "path")
                {
                    scheduled.insert(format!("{name}{path}"));
                }
            }
        }
        let here = SCHEDULES.iter().map(|(function, _)| (*function).to_owned());
        assert_eq!(scheduled, here.collect());
    }
}
