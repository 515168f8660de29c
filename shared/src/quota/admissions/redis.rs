//! Leases in Redis: what the quota has granted is given to calls without asking the database.
//!
//! A lease is one hash for an organization and a month. It belongs to one run of one server, and to
//! one time as a master: after a restart, a failover, a failover back or a loss of its memory another
//! lease begins, with nothing granted.

use std::{collections::HashMap, fmt, time::Duration};

use redis::{
    Client, RedisError, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::ExposeSecret;

use crate::{
    config::RedisConfig,
    ids::{OrgId, RecordId},
    models::{Hold, Timestamp, Use},
};

/// Longer than any answer of a healthy server; the database is asked instead.
const TIMEOUT: Duration = Duration::from_millis(500);

/// The server does not do what it is asked, so nothing is known of its leases.
#[derive(Debug, thiserror::Error)]
#[error("the leases cannot be reached")]
pub struct Unavailable(#[from] RedisError);

/// A client of the leases; clones share its connection.
#[derive(Clone)]
pub struct RedisLeases {
    connection: ConnectionManager,
    scripts: std::sync::Arc<Scripts>,
}

/// Which lease: one for an organization and a UTC month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseKey {
    /// The organization.
    pub org_id: OrgId,
    /// The month, `YYYY-MM`.
    pub period: String,
}

/// What came of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The call may be made.
    Admitted(Hold),
    /// The lease has no room.
    Short {
        /// Its id.
        lease: RecordId,
        /// All that it was granted, as far as it knows.
        granted: Use,
        /// What it needs to have been granted beside this attempt.
        taken: Use,
    },
}

/// What came of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether it was counted now.
    pub is_counted: bool,
    /// Whether the caller is to bring the quota up to date.
    pub is_due: bool,
}

/// A lease as it was at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Its id.
    pub lease: RecordId,
    /// What its settled calls have used.
    pub used: Use,
    /// The settled calls.
    pub requests: i64,
    /// What calls under way may still use.
    pub open: Use,
    /// Calls under way.
    pub calls: Vec<OpenCall>,
}

/// A call under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The id of its ledger entry.
    pub id: RecordId,
    /// The numbers of its attempts that have not ended.
    pub numbers: Vec<i64>,
    /// When it is taken for dead.
    pub expires_at: Timestamp,
}

struct Scripts {
    reserve: Script,
    settle: Script,
    release: Script,
    grow: Script,
    look: Script,
    forget: Script,
}

impl RedisLeases {
    /// A client of this server; it connects with the first call.
    ///
    /// # Errors
    /// Returns [`Unavailable`] for a URL that is none, and for authorities that vouch for nothing.
    pub fn new(server: &RedisConfig) -> Result<Self, Unavailable> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(TIMEOUT))
            .set_connection_timeout(Some(TIMEOUT))
            .set_number_of_retries(0);
        let client = client(server)?;
        let scripts = Scripts {
            reserve: Script::new(include_str!("redis/reserve.lua")),
            settle: Script::new(include_str!("redis/settle.lua")),
            release: Script::new(include_str!("redis/release.lua")),
            grow: Script::new(include_str!("redis/grow.lua")),
            look: Script::new(include_str!("redis/look.lua")),
            forget: Script::new(include_str!("redis/forget.lua")),
        };
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            scripts: scripts.into(),
        })
    }

    /// Reserves what an attempt at a call may use, beside what others of its attempts may.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; the call may have been admitted all the same.
    pub async fn reserve(
        &self,
        key: &LeaseKey,
        id: &RecordId,
        most: Use,
        expires_at: Timestamp,
    ) -> Result<Reserved, Unavailable> {
        let mut script = self.scripts.reserve.key(key.to_string());
        script
            .arg(RecordId::generate().as_str())
            .arg(id.as_str())
            .arg(most.tokens)
            .arg(most.cost_micro_usd)
            .arg(millis(expires_at));
        let answer: Vec<redis::Value> = script.invoke_async(&mut self.connection.clone()).await?;
        read_reserved(&answer)
    }

    /// Counts what the call `id` has used under `hold`. The reservation ends with it if `is_last`,
    /// whatever other attempts there are.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; it may have been counted all the same.
    pub async fn settle(
        &self,
        key: &LeaseKey,
        id: &RecordId,
        (hold, is_last): (&Hold, bool),
        used: Use,
        now: Timestamp,
    ) -> Result<Settled, Unavailable> {
        let mut script = self.scripts.settle.key(key.to_string());
        script
            .arg(hold.lease.as_str())
            .arg(id.as_str())
            .arg(hold.number)
            .arg(used.tokens)
            .arg(used.cost_micro_usd)
            .arg(millis(now))
            .arg(i64::from(is_last));
        let answer: (bool, bool) = script.invoke_async(&mut self.connection.clone()).await?;
        Ok(Settled {
            is_counted: answer.0,
            is_due: answer.1,
        })
    }

    /// Ends an attempt at the call `id` without use, and the reservation with the last of them; false
    /// when it had ended before.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; it may have ended all the same.
    pub async fn release(
        &self,
        key: &LeaseKey,
        id: &RecordId,
        hold: &Hold,
    ) -> Result<bool, Unavailable> {
        let mut script = self.scripts.release.key(key.to_string());
        script
            .arg(hold.lease.as_str())
            .arg(id.as_str())
            .arg(hold.number);
        Ok(script.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Tells a lease all that it was ever granted, and when it ends; false when it is gone.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; it can be told again.
    pub async fn grow(
        &self,
        key: &LeaseKey,
        lease: &RecordId,
        granted: Use,
        ends_at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let mut script = self.scripts.grow.key(key.to_string());
        script
            .arg(lease.as_str())
            .arg(granted.tokens)
            .arg(granted.cost_micro_usd)
            .arg(millis(ends_at));
        Ok(script.invoke_async(&mut self.connection.clone()).await?)
    }

    /// The lease as it is, if there is one.
    ///
    /// # Errors
    /// Returns [`Unavailable`].
    pub async fn look(&self, key: &LeaseKey) -> Result<Option<LeaseState>, Unavailable> {
        let script = self.scripts.look.key(key.to_string());
        let fields = script.invoke_async(&mut self.connection.clone()).await?;
        Ok(read_state(&fields))
    }

    /// Forgets a lease that the quota does not know any more, so that another begins.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; it can be forgotten again.
    pub async fn forget(&self, key: &LeaseKey, lease: &RecordId) -> Result<(), Unavailable> {
        let mut script = self.scripts.forget.key(key.to_string());
        script.arg(lease.as_str());
        let _: i64 = script.invoke_async(&mut self.connection.clone()).await?;
        Ok(())
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "admission:{{{}}}:{}", self.org_id, self.period)
    }
}

fn client(server: &RedisConfig) -> Result<Client, RedisError> {
    let url = server.url.expose_secret();
    let Some(authorities) = &server.authorities else {
        return Client::open(url);
    };
    let trusted = TlsCertificates {
        client_tls: None,
        root_cert: Some(authorities.clone().into_bytes()),
    };
    Client::build_with_tls(url, trusted)
}

fn millis(instant: Timestamp) -> i64 {
    instant.instant().as_millisecond()
}

fn read_reserved(answer: &[redis::Value]) -> Result<Reserved, Unavailable> {
    let number = |index: usize| {
        let value = answer.get(index).unwrap_or(&redis::Value::Nil);
        redis::from_redis_value_ref::<i64>(value).map_err(RedisError::from)
    };
    let lease = answer.get(1).unwrap_or(&redis::Value::Nil);
    let lease: String = redis::from_redis_value_ref(lease).map_err(RedisError::from)?;
    let malformed = |_| RedisError::from((redis::ErrorKind::UnexpectedReturnType, "no lease id"));
    let lease = RecordId::parse(lease).map_err(malformed)?;
    let amount = |index: usize| -> Result<Use, Unavailable> {
        Ok(Use {
            tokens: number(index)?,
            cost_micro_usd: number(index + 1)?,
        })
    };
    if number(0)? == 1 {
        let number = number(2)?;
        return Ok(Reserved::Admitted(Hold { lease, number }));
    }
    Ok(Reserved::Short {
        lease,
        granted: amount(2)?,
        taken: amount(4)? + amount(6)?,
    })
}

fn read_state(fields: &HashMap<String, String>) -> Option<LeaseState> {
    let lease = RecordId::parse(fields.get("lease")?).ok()?;
    let number = |name: &str| fields.get(name).and_then(|text| text.parse().ok());
    let amount = |tokens, cost| Use {
        tokens: number(tokens).unwrap_or_default(),
        cost_micro_usd: number(cost).unwrap_or_default(),
    };
    let calls = fields.iter().filter_map(|(name, call)| {
        let id = RecordId::parse(name.strip_prefix("call:")?).ok()?;
        let mut parts = call.split(' ').skip(2);
        let expires_ms = parts.next()?.parse().ok()?;
        let expires_at = jiff::Timestamp::from_millisecond(expires_ms).ok()?.into();
        Some(OpenCall {
            id,
            numbers: parts.map_while(|number| number.parse().ok()).collect(),
            expires_at,
        })
    });
    Some(LeaseState {
        lease,
        used: amount("usedTokens", "usedCost"),
        requests: number("requests").unwrap_or_default(),
        open: amount("openTokens", "openCost"),
        calls: calls.collect(),
    })
}
