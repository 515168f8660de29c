use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::SecretString;

use super::{Error, training::allows_tuning};
use crate::{
    ids::OrgId,
    llm::{
        KeyError, ProviderName, Providers, SharedOrgKeys, SharedProvider, price,
        router::{Attempts, Candidate, Route, Router},
    },
    models::{CacheSettings, LlmRoute, Timestamp, TunedModel},
    store::{Store, organizations::day_of},
};

/// Routes that an organization can have.
pub const MAX_ROUTES: u32 = 50;

/// Models of its own that an organization can have.
pub const MAX_TUNED_MODELS: u32 = 100;

/// How long routes are kept in mind, in seconds: the longest time until a change works everywhere.
const KEPT_SECS: i64 = 5;

/// Organizations whose routes are kept in mind at most.
const MAX_KEPT: usize = 1_000;

/// Where calls of models go.
#[derive(Clone)]
pub struct Routing {
    router: Router,
    providers: Providers,
    keys: Option<SharedOrgKeys>,
    seen: Arc<Mutex<Seen>>,
}

/// What was read, by organization, and when that is to be read again.
type Seen = HashMap<OrgId, (Arc<Known>, Timestamp)>;

/// What is known of an organization.
#[derive(Default)]
struct Known {
    /// By alias.
    routes: BTreeMap<String, LlmRoute>,
    /// Models that were tuned for it, by their names; none when its plan has none any more.
    tuned: BTreeMap<String, TunedModel>,
    /// Whether it has more of them than are listed.
    has_more_tuned: bool,
    /// The providers that it has connected with keys of its own.
    own: BTreeSet<ProviderName>,
}

/// Where the calls of a model go.
pub(super) struct Way {
    /// Its candidates can be asked; there is one at least.
    pub(super) route: Route,
    /// Whether answers are kept.
    pub(super) cache: Option<CacheSettings>,
    /// The providers that are asked with the organization's own keys.
    pub(super) own: BTreeSet<ProviderName>,
    /// What the model was tuned from, whose price it has, if it was.
    pub(super) base_model: Option<String>,
}

/// A provider for one call.
pub(super) struct Caller {
    pub(super) provider: SharedProvider,
    /// The organization's own key, if it is asked with that.
    pub(super) own_key: Option<SecretString>,
}

impl Routing {
    /// The way to these providers.
    #[must_use]
    pub fn new(providers: Providers) -> Self {
        Self {
            router: Router::default(),
            providers,
            keys: None,
            seen: Arc::default(),
        }
    }

    /// The same for organizations that may have keys of their own.
    #[must_use]
    pub fn with_keys(self, keys: Option<SharedOrgKeys>) -> Self {
        Self { keys, ..self }
    }

    /// The way of a model: by the organization's route of that name, or else to the first provider
    /// that there is and that has a price for it. What was tuned for the organization is asked with
    /// our key, by which it was made.
    pub(super) async fn way(
        &self,
        store: &Store,
        org_id: &OrgId,
        model: &str,
        now: Timestamp,
    ) -> Result<Way, Error> {
        let known = self.known(store, org_id, now).await?;
        if let Some(tuned) = known.tuned.get(model) {
            return self.tuned(tuned, now);
        }
        if known.has_more_tuned
            && !known.routes.contains_key(model)
            && !price::is_known(model)
            && let Some(tuned) = store.find_tuned_model(org_id, model).await?
        {
            return self.tuned(&tuned.value, now);
        }
        let route = match known.routes.get(model) {
            Some(named) => Some(self.askable(&named.route, &known.own)),
            None => self.plain(model, &known.own, now),
        };
        let route = route.filter(|route| route.candidates().next().is_some());
        let route = route.ok_or_else(|| Error::UnknownModel(model.to_owned()))?;
        Ok(Way {
            route,
            cache: known.routes.get(model).and_then(|named| named.cache),
            own: known.own.clone(),
            base_model: None,
        })
    }

    fn tuned(&self, tuned: &TunedModel, now: Timestamp) -> Result<Way, Error> {
        let unknown = || Error::UnknownModel(tuned.name.clone());
        let candidate = self.runs(tuned, now).then(|| Candidate {
            provider: ProviderName::Openai,
            model: tuned.name.clone(),
        });
        Ok(Way {
            route: Route::to(candidate.ok_or_else(unknown)?),
            cache: None,
            own: BTreeSet::new(),
            base_model: Some(tuned.base_model.clone()),
        })
    }

    /// Whether a tuned model can be asked, and has a price.
    fn runs(&self, tuned: &TunedModel, now: Timestamp) -> bool {
        let is_there = self.providers.get(ProviderName::Openai).is_some();
        is_there && price::find_tuned(&tuned.base_model, &day_of(now)).is_some()
    }

    /// What an organization can ask for as a model, and who runs it; its own names have nobody.
    pub(super) async fn models(
        &self,
        store: &Store,
        org_id: &OrgId,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Option<ProviderName>>, Error> {
        let known = self.known(store, org_id, now).await?;
        let day = day_of(now);
        let names = price::models().map(|(model, _)| model);
        let plain = names.filter_map(|model| {
            let mut names = ProviderName::ALL.into_iter();
            let has_it = |name: &ProviderName| {
                *name != ProviderName::Compatible && self.has(*name, &known.own, model, &day)
            };
            Some((model.to_owned(), Some(names.find(has_it)?)))
        });
        let named = known.routes.keys().map(|alias| (alias.clone(), None));
        let tuned = known.tuned.values().filter(|tuned| self.runs(tuned, now));
        let tuned = tuned.map(|tuned| (tuned.name.clone(), Some(ProviderName::Openai)));
        Ok(plain.chain(named).chain(tuned).collect())
    }

    /// The candidates of a way for one call.
    pub(super) fn attempts(&self, way: &Way, key: &str) -> Attempts {
        let attempts = self.router.attempts(&way.route, key);
        attempts.with_foreign_keys(way.own.clone())
    }

    /// A provider for one call: with the organization's own key, if it has connected the provider,
    /// and with ours otherwise. None when there is neither.
    pub(super) async fn caller(
        &self,
        org_id: &OrgId,
        name: ProviderName,
        way: &Way,
    ) -> Result<Option<Caller>, Error> {
        if let Some(keys) = self.keys.as_ref().filter(|_| way.own.contains(&name)) {
            let opened = keys.open(org_id, name).await;
            let own_key = opened.map_err(|error| own_key_error(name, error))?;
            // It may have been disconnected meanwhile.
            if let Some(own_key) = own_key {
                let provider = self.providers.with_key(name, &own_key);
                let own_key = Some(own_key);
                return Ok(provider.map(|provider| Caller { provider, own_key }));
            }
        }
        let provider = self.providers.get(name);
        Ok(provider.map(|provider| Caller {
            provider,
            own_key: None,
        }))
    }

    /// Tells the owner of a key that the provider does not accept it.
    pub(super) async fn refuse(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
        key: &SecretString,
    ) -> Error {
        if let Some(keys) = &self.keys
            && let Err(error) = keys.refuse(org_id, provider, key).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(org.id = %org_id, error, "a refused key is not marked");
        }
        own_key_error(provider, KeyError::Broken)
    }

    fn plain(&self, model: &str, own: &BTreeSet<ProviderName>, now: Timestamp) -> Option<Route> {
        let day = day_of(now);
        let mut names = ProviderName::ALL.into_iter();
        let provider = names.find(|name| self.has(*name, own, model, &day))?;
        let model = model.to_owned();
        Some(Route::to(Candidate { provider, model }))
    }

    fn has(
        &self,
        name: ProviderName,
        own: &BTreeSet<ProviderName>,
        model: &str,
        day: &str,
    ) -> bool {
        self.can_ask(name, own) && price::find_at(name, model, day).is_some()
    }

    fn can_ask(&self, name: ProviderName, own: &BTreeSet<ProviderName>) -> bool {
        own.contains(&name) || self.providers.get(name).is_some()
    }

    /// The route without those that nobody here can ask.
    fn askable(&self, route: &Route, own: &BTreeSet<ProviderName>) -> Route {
        let mut route = route.clone();
        for step in &mut route.steps {
            step.candidates
                .retain(|weighted| self.can_ask(weighted.candidate.provider, own));
        }
        route
    }

    async fn known(
        &self,
        store: &Store,
        org_id: &OrgId,
        now: Timestamp,
    ) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.remembered(org_id, now) {
            return Ok(known);
        }
        let routes = store.list_llm_routes(org_id, MAX_ROUTES).await?;
        let routes = routes
            .into_iter()
            .map(|route| (route.alias.to_string(), route));
        let tuned = tuned_models(store, org_id).await?;
        let own = match &self.keys {
            Some(keys) => keys.connected(org_id).await.map_err(Error::Keys)?,
            None => BTreeSet::new(),
        };
        let known = Arc::new(Known {
            routes: routes.collect(),
            has_more_tuned: tuned.len() >= MAX_TUNED_MODELS as usize,
            tuned,
            own,
        });
        self.remember(org_id, &known, now);
        Ok(known)
    }

    fn remembered(&self, org_id: &OrgId, now: Timestamp) -> Option<Arc<Known>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get(org_id).filter(|(_, until)| *until > now);
        seen.map(|(known, _)| Arc::clone(known))
    }

    fn remember(&self, org_id: &OrgId, known: &Arc<Known>, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (_, until)| *until > now);
        if seen.len() < MAX_KEPT {
            let until = now.plus_seconds(KEPT_SECS);
            seen.insert(org_id.clone(), (Arc::clone(known), until));
        }
    }
}

/// The models that were tuned for an organization, if its plan still has them. Whoever has none is
/// spared the look at the plan.
async fn tuned_models(
    store: &Store,
    org_id: &OrgId,
) -> Result<BTreeMap<String, TunedModel>, Error> {
    let tuned = store.list_tuned_models(org_id, MAX_TUNED_MODELS).await?;
    if tuned.is_empty() || !allows_tuning(store, org_id).await? {
        return Ok(BTreeMap::new());
    }
    let tuned = tuned.into_iter().map(|tuned| (tuned.name.clone(), tuned));
    Ok(tuned.collect())
}

fn own_key_error(provider: ProviderName, source: KeyError) -> Error {
    Error::OwnKey { provider, source }
}
