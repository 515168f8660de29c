//! A token bucket for each integration, so that none of them uses up what all share. It is kept by
//! this process alone: with several, the service's own limit is met and honoured all the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    actions::{Action, Effect},
    connectors::{
        self,
        google::sync::{Api, Reading},
    },
    ids::IntegrationId,
    models::IntegrationService,
    retry::{Policy, Transient, retry},
};

/// The longest wait for a turn; who would wait longer is told to come again. A node has a minute.
const MAX_WAIT: Duration = Duration::from_secs(40);

/// Integrations that are known at once, before those that are at rest are forgotten.
const MAX_KEPT: usize = 10_000;

/// How much an integration may do. A bucket holds what is allowed in [`Self::BURST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// What is counted apart.
    pub(super) api: &'static str,
    /// Units a minute.
    pub(super) units_per_minute: u32,
    /// Units of one call.
    pub(super) cost: u32,
}

impl Rate {
    const BURST: Duration = Duration::from_secs(10);

    /// The rate of an action.
    pub(super) fn of(action: &Action) -> Self {
        let calls = |api, units_per_minute| Self {
            api,
            units_per_minute,
            cost: 1,
        };
        match action.service {
            IntegrationService::Google => google(action.name),
            // 100 a second, 25 in test mode (https://docs.stripe.com/rate-limits).
            IntegrationService::Stripe => calls("stripe", 25 * 60),
            // 900 points a minute, five for what changes something; the 5,000 calls an hour are told
            // by GitHub
            // (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
            IntegrationService::Github => Self {
                cost: match action.effect {
                    Effect::Read => 1,
                    _ => 5,
                },
                ..calls("github", 900)
            },
            // No number is published that holds for every account: these are ours.
            IntegrationService::Twilio => calls("twilio", 10 * 60),
            IntegrationService::Sendgrid => calls("sendgrid", 10 * 60),
            IntegrationService::Openai => calls("openai", 10 * 60),
            IntegrationService::Anthropic => calls("anthropic", 10 * 60),
            IntegrationService::Gemini => calls("gemini", 10 * 60),
        }
    }

    /// The rate of a call of the sync.
    pub(super) fn of_reading<R: Reading>() -> Self {
        let (api, units_per_minute) = match R::API {
            Api::Gmail => GMAIL,
            Api::Drive => DRIVE,
        };
        Self {
            api,
            units_per_minute,
            cost: R::UNITS,
        }
    }

    fn duration(self, units: u32) -> Duration {
        Duration::from_secs(60) * units / self.units_per_minute
    }
}

/// 15,000 units a minute for a user
/// (<https://developers.google.com/workspace/gmail/api/reference/quota>).
const GMAIL: (&str, u32) = ("gmail", 15_000);

/// Ours: 20 calls of the sync a second, or 5 of actions, well below what is published.
const DRIVE: (&str, u32) = ("drive", 1_200);

/// Sheets: 60 requests a minute for a user
/// (<https://developers.google.com/workspace/sheets/api/limits>). The rate of Calendar is ours, well
/// below what is published.
fn google(action: &str) -> Rate {
    let ((api, units_per_minute), cost) = match action {
        "google.gmail.send" => (GMAIL, 100),
        _ if action.starts_with("google.gmail.") => (GMAIL, 5),
        _ if action.starts_with("google.sheets.") => (("sheets", 60), 1),
        _ if action.starts_with("google.calendar.") => (("calendar", 300), 1),
        _ => (DRIVE, 4),
    };
    Rate {
        api,
        units_per_minute,
        cost,
    }
}

/// When the bucket of an integration is full again (the generic cell rate algorithm).
type FullAt = HashMap<(IntegrationId, &'static str), Instant>;

/// The buckets of all integrations.
#[derive(Clone, Default)]
pub(super) struct Throttle {
    full_at: Arc<Mutex<FullAt>>,
}

impl Throttle {
    /// Waits for the integration's turn. Turns are given in the order in which they were asked for.
    pub(super) async fn wait(
        &self,
        id: &IntegrationId,
        rate: Rate,
    ) -> Result<(), connectors::Error> {
        let ready_at = self.reserve(id, rate)?;
        let waited = retry(Policy::TURN, || async move {
            match ready_at.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Ok(()),
                left => Err(TooEarly(left)),
            }
        })
        .await;
        waited.map_err(|TooEarly(left)| connectors::Error::RateLimited {
            retry_after: Some(left),
        })
    }

    fn reserve(&self, id: &IntegrationId, rate: Rate) -> Result<Instant, connectors::Error> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MAX_KEPT {
            full_at.retain(|_, full_at| *full_at > now);
        }
        let key = (id.clone(), rate.api);
        let before = full_at.get(&key).map_or(now, |full_at| now.max(*full_at));
        let after = before + rate.duration(rate.cost);
        let wait = (after - now).saturating_sub(Rate::BURST);
        if wait > MAX_WAIT {
            return Err(connectors::Error::RateLimited {
                retry_after: Some(wait),
            });
        }
        full_at.insert(key, after);
        Ok(now + wait)
    }
}

#[derive(Debug)]
struct TooEarly(Duration);

impl Transient for TooEarly {
    fn is_transient(&self) -> bool {
        true
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions,
        connectors::google::sync::{Files, OneMail},
    };

    fn id(text: &str) -> IntegrationId {
        IntegrationId::parse(text).unwrap()
    }

    fn rate(action: &str) -> Rate {
        Rate::of(actions::find(action).unwrap())
    }

    #[test]
    fn gmail_costs_what_google_tells() {
        let send = rate("google.gmail.send");
        assert_eq!((send.units_per_minute, send.cost), (15_000, 100));
        assert_eq!(rate("google.gmail.search").cost, 5);
        assert_ne!(rate("google.sheets.read").api, send.api);
    }

    #[test]
    fn the_sync_draws_on_what_the_actions_have() {
        let mail = Rate::of_reading::<OneMail<'_>>();
        assert_eq!(mail, rate("google.gmail.get"));
        let (sync, action) = (Rate::of_reading::<Files<'_>>(), rate("google.drive.list"));
        assert_eq!(
            (sync.api, sync.units_per_minute),
            (action.api, action.units_per_minute)
        );
        assert_eq!((sync.cost, action.cost), (1, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn sends_keep_to_the_rate_after_a_burst() {
        let (throttle, send) = (Throttle::default(), rate("google.gmail.send"));
        let started = Instant::now();
        // 15,000 units a minute are 150 sends a minute: 25 in ten seconds.
        let mut waited = Vec::new();
        for _ in 0..50 {
            throttle.wait(&id("i1"), send).await.unwrap();
            waited.push(started.elapsed());
        }
        assert_eq!(waited[24], Duration::ZERO, "a burst is free");
        let tolerance = Duration::from_millis(50);
        for (extra, waited) in waited[25..].iter().enumerate() {
            let due = Duration::from_millis(400) * (u32::try_from(extra).unwrap() + 1);
            assert!(*waited >= due && *waited <= due + tolerance, "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_integration_does_not_wait_for_another() {
        let (throttle, send) = (Throttle::default(), rate("google.gmail.send"));
        for _ in 0..25 {
            throttle.wait(&id("i1"), send).await.unwrap();
        }
        let started = Instant::now();
        throttle.wait(&id("i2"), send).await.unwrap();
        throttle
            .wait(&id("i1"), rate("google.sheets.read"))
            .await
            .unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_told_when_to_come_again() {
        let (throttle, send) = (Throttle::default(), rate("google.gmail.send"));
        let (mut taken, i1) = (0, id("i1"));
        let refused = loop {
            match throttle.reserve(&i1, send) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(taken, 125, "a burst, and forty seconds of turns");
        assert!(refused.retry_after().unwrap() > MAX_WAIT);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(
            throttle.reserve(&i1, send).is_ok(),
            "a refusal costs nothing"
        );
    }
}
