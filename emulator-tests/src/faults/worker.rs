//! A worker: `execute-workflow` as it ships, on a database that fails and a clock that is wrong,
//! with places at which it ends itself.

pub mod budget;
mod command;
mod faulty_db;
mod skewed_clock;

use std::sync::Arc;

use anyhow::{Context, Result};
use execute_workflow::{AppState, Config, Ports, router};
use shared::{
    audit::Trail,
    config::Env,
    egress::Egress,
    email::SendGrid,
    http::{ServiceCallers, client, serve_until},
    identity::IdentityToolkit,
    invitation::{Links, Tokens},
    queue::CloudTasks,
    quota::MeteredLlm,
    shutdown::Shutdown,
    store::{DatabaseClock, Store, firestore::Firestore},
    vault::NoVault,
};

pub use self::{
    command::Command,
    faulty_db::{FaultRates, FaultyDb},
    skewed_clock::SkewedClock,
};
use super::chance::Chance;

/// How the database fails, as [`FaultRates`] is written.
pub const RATES: &str = "FAULT_RATES";
/// What decides when it does.
pub const SEED: &str = "FAULT_SEED";
/// The rule of the engine that is broken, if any.
pub const FLAW: &str = "FAULT_FLAW";
/// How far the clock is ahead, in seconds.
pub const CLOCK_SKEW: &str = "CLOCK_SKEW_SECS";

/// What the worker is, if it is not `execute-workflow`.
pub const PART: &str = "FAULT_PART";
/// A worker that calls a model within a budget.
pub const BUDGET: &str = "budget";

/// Runs a worker until it is told to stop, or ends itself.
///
/// # Errors
/// Returns the variable that it cannot start with, or why it cannot serve.
pub async fn run(env: &Env) -> Result<()> {
    if let Some(flaw) = env.optional(FLAW) {
        fail::cfg(flaw, "return").map_err(anyhow::Error::msg)?;
    }
    if env.optional(PART) == Some(BUDGET) {
        return budget::run(env).await;
    }
    command::obey_in_background()?;
    let config = Config::from_env(env)?;
    let port = config.service.port;
    let shutdown = Shutdown::new();
    let state = state(env, config, shutdown.clone())?;
    let serving = serve_until(router(state), port, shutdown);
    serving.await.context("cannot serve")
}

fn state(env: &Env, config: Config, shutdown: Shutdown) -> Result<AppState> {
    let chance = Chance::new(env.parsed(SEED, 0)?, "store");
    let rates: FaultRates = env.parsed(RATES, FaultRates::default())?;
    let db = FaultyDb::new(Arc::new(Firestore::new(&config.service)), rates, chance);
    let local = SkewedClock::shared(env.parsed(CLOCK_SKEW, 0)?);
    let database = Arc::new(DatabaseClock::new(Arc::new(db), local));
    let (store, clock) = (Store::new(database.clone()), database.clone());
    let key = config.mac.key();
    let emulator_host = config.auth.emulator_host.as_deref();
    let accounts = IdentityToolkit::new(client()?, &config.auth.project_id, emulator_host);
    let queue = CloudTasks::new(config.queue, client()?, clock.clone());
    let providers = config.providers.providers(client()?)?;
    let ports = Ports {
        llm: MeteredLlm::of(
            providers,
            None,
            &config.admission,
            store.clone(),
            clock.clone(),
        )?,
        mailer: Arc::new(SendGrid::new(config.sendgrid, client()?)),
        links: Links::new(Tokens::new(key.clone()), config.app_url),
        trail: Trail::new(store.clone(), key),
        accounts: Arc::new(accounts),
        queue: Arc::new(queue),
        egress: Egress::new(config.egress)?,
        actions: Arc::new(NoVault),
        artifacts: None,
    };
    let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
    let settings = config.settings;
    let state = AppState::with_ports(store, ports, settings, clock, callers, shutdown);
    Ok(state.with_database_clock(database))
}
