//! Counting in Redis, in one place for all instances.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use redis::{
    Client, IntoConnectionInfo, RedisError, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use secrecy::ExposeSecret;
use tokio::time::error::Elapsed;

use super::{Decision, Key, Limit, RateLimiter, Unavailable};
use crate::{clock::SharedClock, config::RedisConfig};

/// How long a request waits for its count.
const BUDGET: Duration = Duration::from_millis(50);
/// How long it waits as long as there was no answer on the connection yet: it has to be made first.
const FIRST_BUDGET: Duration = Duration::from_millis(500);
/// When a connection is given up that carries nothing any more.
const SILENCE: Duration = Duration::from_secs(2);

/// Why there is no answer.
enum Failed {
    Late(Elapsed),
    Told(RedisError),
}

/// Counts in Redis, by its clock.
pub struct RedisRateLimiter {
    connection: ConnectionManager,
    take: Script,
    has_answered: AtomicBool,
    budget: Duration,
    clock: Option<SharedClock>,
}

impl RedisRateLimiter {
    /// A limiter on this server; it connects with the first call.
    ///
    /// # Errors
    /// Returns [`Unavailable`] for a URL that is none, and for authorities that vouch for nothing.
    pub fn new(config: &RedisConfig) -> Result<Self, Unavailable> {
        let client = client(config)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(FIRST_BUDGET))
            .set_number_of_retries(0);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            take: Script::new(include_str!("redis/take.lua")),
            has_answered: AtomicBool::new(false),
            budget: BUDGET,
            clock: None,
        })
    }

    /// The same with another time that a request waits for its count.
    #[must_use]
    pub fn with_budget(self, budget: Duration) -> Self {
        Self { budget, ..self }
    }

    /// The same by another clock than the server's, so that a test need not wait.
    #[must_use]
    pub fn timed_by(self, clock: SharedClock) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }

    /// An answer within the time that there is for one: more of it on a connection that is new.
    async fn ask(&self, key: &Key, limit: Limit) -> Result<Decision, Failed> {
        let budget = match self.has_answered.load(Ordering::Relaxed) {
            true => self.budget,
            false => self.budget.max(FIRST_BUDGET),
        };
        let answer = tokio::time::timeout(budget, self.ask_once(key, limit)).await;
        let decision = answer.map_err(Failed::Late)??;
        self.has_answered.store(true, Ordering::Relaxed);
        Ok(decision)
    }

    async fn ask_once(&self, key: &Key, limit: Limit) -> Result<Decision, RedisError> {
        let window = u64::try_from(limit.window.as_micros()).unwrap_or(u64::MAX);
        let now = self
            .clock
            .as_ref()
            .map(|clock| clock.now().as_microsecond());
        let mut script = self.take.key(key.to_string());
        script
            .arg(limit.requests.get())
            .arg(window)
            .arg(now.map(|now| now.to_string()).unwrap_or_default());
        let answer = script.invoke_async(&mut self.connection.clone()).await?;
        let (is_admitted, remaining, reset_micros) = answer;
        Ok(Decision {
            is_admitted,
            limit: limit.requests.get(),
            remaining,
            reset_after: Duration::from_micros(reset_micros),
        })
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    /// A connection that broke since the last call is only noticed by a call, which is then made
    /// again on a new one.
    async fn take(&self, key: &Key, limit: Limit) -> Result<Decision, Unavailable> {
        match self.ask(key, limit).await {
            Err(Failed::Told(error)) if error.is_connection_dropped() => {
                self.has_answered.store(false, Ordering::Relaxed);
                Ok(self.ask(key, limit).await?)
            }
            answer => Ok(answer?),
        }
    }
}

fn client(config: &RedisConfig) -> Result<Client, RedisError> {
    let settings = TcpSettings::default().set_user_timeout(SILENCE);
    let info = config.url.expose_secret().into_connection_info()?;
    let info = info.set_tcp_settings(settings);
    let Some(authorities) = &config.authorities else {
        return Client::open(info);
    };
    let trusted = TlsCertificates {
        client_tls: None,
        root_cert: Some(authorities.clone().into_bytes()),
    };
    Client::build_with_tls(info, trusted)
}

impl From<RedisError> for Unavailable {
    fn from(error: RedisError) -> Self {
        Self::new(error)
    }
}

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self::Told(error)
    }
}

impl From<Failed> for Unavailable {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Late(elapsed) => Self::new(elapsed),
            Failed::Told(error) => Self::new(error),
        }
    }
}
