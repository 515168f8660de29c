use crate::{
    llm::{
        ProviderName, Providers, SharedProvider, price,
        router::{Attempts, Candidate, Route, Router},
    },
    models::Timestamp,
    store::organizations::day_of,
};

/// Where calls of models go.
#[derive(Clone)]
pub struct Routing {
    router: Router,
    providers: Providers,
}

impl Routing {
    /// The way to these providers.
    #[must_use]
    pub fn new(providers: Providers) -> Self {
        let router = Router::default();
        Self { router, providers }
    }

    /// The route of a model: to the first provider that there is and that has a price for it.
    pub(super) fn route(&self, model: &str, now: Timestamp) -> Option<Route> {
        let day = day_of(now);
        let mut names = ProviderName::ALL.into_iter();
        let provider = names.find(|name| {
            self.providers.get(*name).is_some() && price::find_at(*name, model, &day).is_some()
        })?;
        let model = model.to_owned();
        Some(Route::to(Candidate { provider, model }))
    }

    /// The candidates of a route for one call.
    pub(super) fn attempts(&self, route: &Route, key: &str) -> Attempts {
        self.router.attempts(route, key)
    }

    /// A provider, if this service is configured for it.
    pub(super) fn provider(&self, name: ProviderName) -> Option<SharedProvider> {
        self.providers.get(name)
    }
}
