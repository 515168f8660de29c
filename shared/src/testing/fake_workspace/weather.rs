use rand::{Rng, SeedableRng, rngs::StdRng};

/// How Google behaves: what of it is drawn is drawn from the seed.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// What all draws come from.
    pub seed: u64,
    /// Calls out of a thousand that fail, each with a fault of [`Fault::passing`].
    pub faults_per_mille: u32,
    /// The wait that a drawn 429 asks for, if it asks for one.
    pub retry_after_secs: u64,
    /// Pages out of a thousand that are empty and have one behind them.
    pub empty_pages_per_mille: u32,
    /// Records out of a thousand that a page of history holds twice.
    pub duplicates_per_mille: u32,
    /// The longest page, whatever was asked for.
    pub max_page: Option<usize>,
}

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429.
    TooManyRequests {
        /// `Retry-After`.
        retry_after_secs: Option<u64>,
    },
    /// 403 `rateLimitExceeded`.
    RateLimitExceeded,
    /// 403 `userRateLimitExceeded`.
    UserRateLimitExceeded,
    /// 403 `dailyLimitExceeded`.
    DailyLimitExceeded,
    /// 403 `domainPolicy`.
    DomainPolicy,
    /// 403 `downloadQuotaExceeded`.
    DownloadQuotaExceeded,
    /// 403 `cannotDownloadFile`.
    CannotDownload,
    /// 403 `insufficientPermissions`.
    MissingScope,
    /// A status whose reason, `forbidden`, tells nothing.
    Status(u16),
    /// 401, whatever the token.
    Unauthorized,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// The connection breaks in the middle of the answer.
    Cut,
    /// No answer comes.
    Hang,
    /// The answer has no end.
    Endless,
}

/// The weather, and where its draws have come to.
#[derive(Default)]
pub(super) struct Sky {
    weather: Weather,
    draws: Option<StdRng>,
}

impl Fault {
    /// Those that pass when the call is repeated.
    #[must_use]
    pub fn passing(retry_after_secs: u64) -> [Self; 7] {
        let told = |retry_after_secs| Self::TooManyRequests { retry_after_secs };
        [
            told(None),
            told(Some(retry_after_secs)),
            Self::RateLimitExceeded,
            Self::UserRateLimitExceeded,
            Self::InternalError,
            Self::Unavailable,
            Self::Cut,
        ]
    }
}

impl From<Weather> for Sky {
    fn from(weather: Weather) -> Self {
        let draws = Some(StdRng::seed_from_u64(weather.seed));
        Self { weather, draws }
    }
}

impl Sky {
    /// The fault of the next call, if it has one.
    pub(super) fn fault(&mut self) -> Option<Fault> {
        if !self.draw(self.weather.faults_per_mille) {
            return None;
        }
        let faults = Fault::passing(self.weather.retry_after_secs);
        let draws = self.draws.as_mut()?;
        Some(faults[draws.random_range(0..faults.len())])
    }

    pub(super) fn is_empty_page(&mut self) -> bool {
        self.draw(self.weather.empty_pages_per_mille)
    }

    pub(super) fn is_duplicate(&mut self) -> bool {
        self.draw(self.weather.duplicates_per_mille)
    }

    /// The length of a page for which so much was asked.
    pub(super) fn page(&self, asked: usize) -> usize {
        self.weather.max_page.map_or(asked, |most| asked.min(most))
    }

    fn draw(&mut self, per_mille: u32) -> bool {
        let draws = self.draws.as_mut();
        draws.is_some_and(|draws| draws.random_range(0..1_000) < per_mille)
    }
}
