//! P11: what is billed never passes the limit, whoever dies.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::iter;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, tz::TimeZone};
use secrecy::ExposeSecret;
use shared::{
    clock::{Clock, SystemClock},
    config::{Env, ServiceConfig},
    ids::{OrgId, Uid},
    models::{
        Limits, Organization, OutboxMessage, Role, SubscriptionTier, SystemPrincipal, Timestamp,
        UsageEntry, UsageState, User, UserSettings,
    },
    store::{Store, firestore::Firestore, organizations, users},
    testing::RedisServer,
};

use super::{Ground, Outcome};
use crate::client::http_client;
use crate::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};
use crate::faults::chance::Chance;
use crate::faults::fleet::Fleet;
use crate::faults::pause::pause;
use crate::faults::process::Launch;
use crate::faults::size::Size;
use crate::faults::worker::budget::{Order, ceiling};
use crate::faults::worker::{BUDGET, PART};

const PROJECT_ID: &str = "demo-budget";
const RULES: &str = include_str!("../../../../firestore.rules");
const CALLER: SystemPrincipal = SystemPrincipal { function: "faults" };
/// P11: so many calls fit.
const BUDGETED: i64 = 37;
/// P11: so many come at once.
const PARALLEL: usize = 500;
const WORKERS: usize = 3;
/// Calls of an organization in one wave, while workers die.
const WAVE: usize = 40;
/// How many of them end their worker, out of 1,000.
const DEADLY: u32 = 250;
/// A call has fewer steps than this on any way.
const STEPS: usize = 40;
/// Longer than any reservation, and any lease that nobody prolongs.
const LEASE_SECS: i64 = 1_801;
/// A budget is of one UTC month: it is begun in the next one if less than this is left, in seconds.
const MONTH_LEFT_SECS: i64 = 3 * 86_400;
/// A call that no worker answers within so many tries never will be.
const TRIES: usize = 400;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// Workers that call a model, and what they share.
struct Town {
    fleet: Fleet,
    store: Store,
    http: reqwest::Client,
    redis: Option<RedisServer>,
    chance: Chance,
    ahead_secs: i64,
    /// Workers that have ended themselves.
    kills: AtomicUsize,
    _firestore: EmbeddedFirestore,
}

/// What an organization has in the end.
struct Books {
    settled: Vec<UsageEntry>,
    used: i64,
    is_clear: bool,
    shown: (i64, i64),
    alerts: Vec<(String, i64)>,
}

/// Spends budgets on both adapters, with workers that die and a Redis that is lost.
///
/// # Errors
/// When the workers cannot be set up, or the store cannot be read.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let mut outcome = Outcome {
        name: "P11 budget".to_owned(),
        problems: Vec::new(),
        facts: Vec::new(),
        took: Duration::ZERO,
    };
    for has_redis in [false, true] {
        let mut town = Town::start(ground, has_redis).await?;
        let name = if has_redis { "redis" } else { "firestore" };
        town.crowd(name, &mut outcome).await?;
        let (mut losses, wanted) = (0, size.budget_kills / 2);
        let mut number = 0;
        while town.kills() < wanted {
            let org_id = OrgId::derive(&["budget", name, &number.to_string()]);
            number += 1;
            losses += usize::from(town.siege(&org_id, &mut outcome).await?);
            ground.progress.set_position(u64::try_from(town.kills())?);
        }
        outcome.fact(format!(
            "{name}: {} kills over {number} budgets, {losses} losses of Redis",
            town.kills()
        ));
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}

impl Town {
    async fn start(ground: &Ground, has_redis: bool) -> Result<Self> {
        let firestore = EmbeddedFirestore::start(FirestoreOptions {
            port: 0,
            project_id: PROJECT_ID.to_owned(),
            rules_source: RULES.to_owned(),
            data_dir: None,
        })
        .await?;
        let redis = has_redis.then(RedisServer::start).transpose()?;
        let mut variables = vec![
            ("GOOGLE_CLOUD_PROJECT".to_owned(), PROJECT_ID.to_owned()),
            ("FIRESTORE_EMULATOR_HOST".to_owned(), firestore.host()),
            (PART.to_owned(), BUDGET.to_owned()),
        ];
        let url = redis.as_ref().map(RedisServer::url);
        variables.extend(url.map(|url| ("REDIS_URL".to_owned(), url.expose_secret().to_owned())));
        let env = Env::from_pairs(variables.iter().cloned());
        let config = ServiceConfig::load(&env)?;
        let logs = Env::from_process();
        let logs = logs.optional("FAULT_LOGS").map(PathBuf::from);
        let launches = (0..WORKERS).map(|number| Launch {
            program: ground.program.clone(),
            variables: variables.clone(),
            log: logs
                .as_ref()
                .map(|logs| logs.join(format!("budget-{number}.log"))),
        });
        let http = http_client()?;
        let chance = ground.chance("budget");
        let fleet = Fleet::start(launches.collect(), http.clone(), chance.clone()).await?;
        Ok(Self {
            fleet,
            store: Store::new(std::sync::Arc::new(Firestore::new(&config))),
            http,
            redis,
            chance,
            ahead_secs: 0,
            kills: AtomicUsize::new(0),
            _firestore: firestore,
        })
    }

    /// Many calls at once, and nobody dies: as many are admitted as fit.
    async fn crowd(&mut self, name: &str, outcome: &mut Outcome) -> Result<()> {
        let org_id = OrgId::derive(&["budget", name, "crowd"]);
        self.found(&org_id).await?;
        let orders = (0..PARALLEL).map(|number| self.order(&org_id, number, None));
        let answers = self.send_all(orders.collect(), PARALLEL).await?;
        let admitted = answers.iter().filter(|admitted| **admitted).count();
        outcome.fact(format!("{name}: {admitted} of {PARALLEL} parallel calls"));
        outcome.require(admitted as i64 == BUDGETED, || {
            format!("{name}: {admitted} parallel calls were admitted, {BUDGETED} fit")
        });
        self.ahead_secs += LEASE_SECS;
        self.judge(&org_id, outcome).await
    }

    /// Calls that end their workers, until the budget is spent; tells whether Redis was lost.
    async fn siege(&mut self, org_id: &OrgId, outcome: &mut Outcome) -> Result<bool> {
        self.found(org_id).await?;
        let is_lost = self.redis.is_some() && self.chance.happens(500);
        let mut number = 0;
        for wave in 0.. {
            let is_deadly = wave < 2;
            let orders: Vec<Order> = (0..WAVE)
                .map(|offset| {
                    let dies = is_deadly && self.chance.happens(DEADLY);
                    let steps = dies.then(|| 1 + self.chance.below(STEPS));
                    self.order(org_id, number + offset, steps)
                })
                .collect();
            number += WAVE;
            let half = orders.split_at(WAVE / 2);
            let mut admitted = self.send_all(half.0.to_vec(), WAVE).await?;
            if let Some(redis) = self.redis.as_mut().filter(|_| is_lost && wave == 0) {
                redis.kill()?;
                redis.restart()?;
            }
            admitted.extend(self.send_all(half.1.to_vec(), WAVE).await?);
            self.check_limit(org_id, outcome).await?;
            self.ahead_secs += LEASE_SECS;
            if !is_deadly && !admitted.contains(&true) {
                break;
            }
            ensure!(wave < 100, "a budget is never spent");
        }
        self.judge(org_id, outcome).await?;
        Ok(is_lost)
    }

    fn order(&self, org_id: &OrgId, number: usize, dies_after: Option<usize>) -> Order {
        Order {
            org_id: org_id.clone(),
            key: format!("k{number}"),
            ahead_secs: self.ahead_secs,
            dies_after,
        }
    }

    /// Sends orders to whichever worker is up; tells which were admitted and answered.
    async fn send_all(&self, orders: Vec<Order>, at_once: usize) -> Result<Vec<bool>> {
        let sent = iter(orders).map(|order| self.send("call", order));
        sent.buffer_unordered(at_once).try_collect().await
    }

    /// Whether an order was carried out.
    async fn send(&self, path: &str, mut order: Order) -> Result<bool> {
        for _ in 0..TRIES {
            let Some(url) = self.fleet.any() else {
                pause(BETWEEN_TRIES).await;
                continue;
            };
            let query = serde_urlencoded::to_string(&order)?;
            let request = self.http.post(format!("{url}/{path}?{query}"));
            match request.send().await.map(|answer| answer.status().as_u16()) {
                Ok(200) => return Ok(true),
                Ok(429) => return Ok(false),
                Ok(_) => {}
                Err(_) => {
                    let revived = self.fleet.revive().await?;
                    self.kills.fetch_add(revived, Ordering::Relaxed);
                    // Nobody repeats what kills.
                    if order.dies_after.take().is_some() {
                        return Ok(false);
                    }
                }
            }
            pause(BETWEEN_TRIES).await;
        }
        anyhow::bail!("no worker answers")
    }

    fn kills(&self) -> usize {
        self.kills.load(Ordering::Relaxed)
    }

    async fn found(&mut self, org_id: &OrgId) -> Result<()> {
        self.ahead_secs += until_month_has_room(self.ahead_secs)?;
        let now = Timestamp::from(SystemClock.now());
        let organization = Organization {
            subscription_tier: SubscriptionTier::Enterprise,
            limits: Limits {
                monthly_tokens: Some(BUDGETED * ceiling()),
                ..Limits::default()
            },
            ..Organization::new(org_id.clone(), "Budget".to_owned(), now)
        };
        let admin = User {
            uid: Uid::derive(&[org_id.as_str(), "admin"]),
            email: Some("ada@example.com".to_owned()),
            role: Role::Admin,
            organization_id: org_id.clone(),
            created_at: now,
            settings: UserSettings::default(),
            disabled: false,
            tokens_valid_after: None,
        };
        let writes = vec![
            organizations::create(&organization)?,
            users::create(&admin)?,
        ];
        self.store.commit(writes).await?;
        Ok(())
    }

    async fn check_limit(&self, org_id: &OrgId, outcome: &mut Outcome) -> Result<()> {
        let settled: i64 = self.settled(org_id).await?.iter().map(tokens).sum();
        let limit = BUDGETED * ceiling();
        outcome.require(settled <= limit, || {
            format!("{org_id}: {settled} tokens of {limit} are billed")
        });
        Ok(())
    }

    /// When all is over: the budget is spent to the last call, all counts agree, each alert once.
    async fn judge(&mut self, org_id: &OrgId, outcome: &mut Outcome) -> Result<()> {
        for _ in 0..2 {
            self.send("sweep", self.order(org_id, 0, None)).await?;
            self.ahead_secs += LEASE_SECS;
        }
        self.check_limit(org_id, outcome).await?;
        let books = self.books(org_id).await?;
        let sum: i64 = books.settled.iter().map(tokens).sum();
        let (limit, used) = (BUDGETED * ceiling(), books.used);
        outcome.require(sum == limit, || {
            format!("{org_id}: {sum} of {limit} tokens could be used")
        });
        outcome.require(used == sum && books.shown == (sum, sum), || {
            format!("{org_id}: {used} counted, {:?} shown of {sum}", books.shown)
        });
        outcome.require(books.is_clear, || format!("{org_id}: something is held"));
        let expected = ["monthlyTokens"].map(|limit| [(limit, 80), (limit, 100)]);
        let mut told = books.alerts;
        told.retain(|(limit, _)| limit != "includedTokens");
        told.sort();
        let is_told = told
            .iter()
            .map(|(limit, percent)| (limit.as_str(), *percent))
            .eq(expected.into_iter().flatten());
        outcome.require(is_told, || format!("{org_id}: alerts {told:?}"));
        Ok(())
    }

    async fn settled(&self, org_id: &OrgId) -> Result<Vec<UsageEntry>> {
        let mut settled = Vec::new();
        let keep = |entry: UsageEntry| {
            if entry.state == UsageState::Settled {
                settled.push(entry);
            }
        };
        let (from, to) = ("2000-01-01", "9999-12-31");
        let read = self.store.each_usage_entry(org_id, from, to, keep);
        read.await?;
        Ok(settled)
    }

    async fn books(&self, org_id: &OrgId) -> Result<Books> {
        let settled = self.settled(org_id).await?;
        let quota = self.store.find_token_quota(org_id).await?;
        let quota = quota.context("there is no quota")?.value;
        let stats = self.store.find_current_stats(org_id).await?;
        let organization = self.store.find_organization(org_id).await?;
        let shown = (
            stats.context("there are no statistics")?.value.tokens,
            organization
                .context("there is no organization")?
                .value
                .api_usage,
        );
        let later = Timestamp::from(SystemClock.now()).plus_seconds(10 * 366 * 86_400);
        let rows = self.store.list_due_outbox_rows(&CALLER, later, 10_000);
        let own = rows.await?.into_iter().map(|row| row.value);
        let alerts = own.filter(|row| row.org_id == *org_id);
        let alerts = alerts.filter_map(|row| match row.message {
            OutboxMessage::UsageAlert { limit, percent, .. } => Some((limit, percent)),
            _ => None,
        });
        Ok(Books {
            settled,
            used: quota.used,
            is_clear: quota.open.is_empty() && quota.leases.is_empty(),
            shown,
            alerts: alerts.collect(),
        })
    }
}

fn tokens(entry: &UsageEntry) -> i64 {
    entry.amount().tokens
}

/// How long it is until the next month begins, if too little is left of the one in which the clocks
/// are.
fn until_month_has_room(ahead_secs: i64) -> Result<i64> {
    let now = SystemClock.now() + SignedDuration::from_secs(ahead_secs);
    let now = now.to_zoned(TimeZone::UTC);
    let next_month = now.last_of_month()?.end_of_day()?.timestamp();
    let left = next_month.as_second() - now.timestamp().as_second() + 1;
    Ok(if left < MONTH_LEFT_SECS { left } else { 0 })
}
