use std::{num::NonZeroU32, time::Duration};

use super::Limit;
use crate::config::{Env, Error, RedisConfig};

/// Longest window in seconds, and most requests within it: each admission is remembered.
const MOST: u32 = 10_000;

/// How often somebody may come.
#[derive(Clone, Debug)]
pub struct RateLimitConfig {
    /// Where all instances count; without it each instance counts on its own.
    pub redis: Option<RedisConfig>,
    /// `TRUSTED_PROXY_HOPS`: how many proxies in front add an address to `X-Forwarded-For`; default
    /// 1, Cloud Run's own; 2 behind an external load balancer, 0 when callers connect directly.
    pub trusted_proxy_hops: usize,
    /// `RATE_LIMIT_CLIENT`: requests of a client in a window; default 100.
    pub client: Limit,
    /// `RATE_LIMIT_USER`: requests of a user in a window, from wherever; default 300.
    pub user: Limit,
    /// `RATE_LIMIT_HOOKS`: webhook requests of a client in a window; default 600.
    pub hooks: Limit,
    /// `RATE_LIMIT_OAUTH_CALLBACK`: returns from a consent of a client in a window; default 30.
    pub oauth_callback: Limit,
    /// `RATE_LIMIT_EVENTS`: events and ticks of a client in a window and an instance; default 6000.
    pub events: Limit,
    /// `RATE_LIMIT_HEALTH`: health checks of a client in a window and an instance; default 600.
    pub health: Limit,
}

impl RateLimitConfig {
    /// Reads the variables. `RATE_LIMIT_WINDOW_SECS` is the window of all limits, by default 60.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let window = number(env, "RATE_LIMIT_WINDOW_SECS", 60)?.get().into();
        let limit = |name, requests| {
            Ok::<_, Error>(Limit {
                requests: number(env, name, requests)?,
                window: Duration::from_secs(window),
            })
        };
        Ok(Self {
            redis: RedisConfig::load_optional(env),
            trusted_proxy_hops: env.parsed("TRUSTED_PROXY_HOPS", 1)?,
            client: limit("RATE_LIMIT_CLIENT", 100)?,
            user: limit("RATE_LIMIT_USER", 300)?,
            hooks: limit("RATE_LIMIT_HOOKS", 600)?,
            oauth_callback: limit("RATE_LIMIT_OAUTH_CALLBACK", 30)?,
            events: limit("RATE_LIMIT_EVENTS", 6_000)?,
            health: limit("RATE_LIMIT_HEALTH", 600)?,
        })
    }
}

fn number(env: &Env, name: &'static str, default: u32) -> Result<NonZeroU32, Error> {
    let value: u32 = env.parsed(name, default)?;
    let number = NonZeroU32::new(value).filter(|_| value <= MOST);
    number.ok_or_else(|| Error::Invalid {
        name,
        reason: format!("it must be from 1 to {MOST}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, value: &str) -> Result<RateLimitConfig, Error> {
        RateLimitConfig::load(&Env::from_pairs([(name, value)]))
    }

    #[test]
    fn a_client_has_a_hundred_requests_a_minute_unless_told_otherwise() {
        let config = load("OTHER", "").unwrap();
        assert_eq!(config.client.requests.get(), 100);
        assert_eq!(config.client.window, Duration::from_secs(60));
        assert_eq!(config.trusted_proxy_hops, 1);
        let config = load("RATE_LIMIT_CLIENT", "7").unwrap();
        assert_eq!(
            (config.client.requests.get(), config.user.requests.get()),
            (7, 300)
        );
    }

    #[test]
    fn what_is_no_limit_is_refused_with_its_name() {
        let names = [
            "RATE_LIMIT_WINDOW_SECS",
            "RATE_LIMIT_CLIENT",
            "RATE_LIMIT_USER",
            "RATE_LIMIT_HOOKS",
            "RATE_LIMIT_OAUTH_CALLBACK",
            "RATE_LIMIT_EVENTS",
            "RATE_LIMIT_HEALTH",
        ];
        for name in names {
            for value in ["0", "10001", "-1", "1.5", "none"] {
                let error = load(name, value).unwrap_err().to_string();
                assert!(error.contains(&format!("`{name}`")), "{value}: {error}");
            }
        }
        assert!(load("TRUSTED_PROXY_HOPS", "-1").is_err());
    }
}
