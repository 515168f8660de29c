use secrecy::SecretString;

use crate::{
    clock::SharedClock,
    config::Env,
    http::client,
    llm::{
        ProviderName, Providers, ProvidersConfig, SharedProvider,
        providers::Speakers,
        speech::{SharedSpeaker, SpeakerName},
    },
    quota::{MeteredLlm, Routing},
    store::Store,
};

/// Metered access to one provider for every model that has a price, admitted by the quota documents.
#[must_use]
pub fn metered_llm(provider: SharedProvider, store: Store, clock: SharedClock) -> MeteredLlm {
    MeteredLlm::routed(Routing::new(provider_of_all(&provider)), store, clock)
}

/// Every vendor, all of them this provider.
#[must_use]
pub fn provider_of_all(provider: &SharedProvider) -> Providers {
    let vendors = ProviderName::ALL.into_iter();
    let vendors = vendors.filter(|name| *name != ProviderName::Compatible);
    providers(vendors.map(|name| (name, provider.clone())))
}

/// One of a service's providers, without admission.
#[must_use]
pub fn provider_of(providers: &Providers, name: ProviderName) -> Option<SharedProvider> {
    providers.get(name)
}

/// One of a service's speakers, without admission.
#[must_use]
pub fn speaker_of(speakers: &Speakers, name: SpeakerName) -> Option<SharedSpeaker> {
    speakers.get(name)
}

/// The same as [`provider_of`] with an organization's key.
#[must_use]
pub fn provider_with_key(
    providers: &Providers,
    name: ProviderName,
    key: &SecretString,
) -> Option<SharedProvider> {
    providers.with_key(name, key)
}

/// These providers and no others.
///
/// # Panics
/// Panics when no client can be made.
#[expect(clippy::unwrap_used, reason = "for tests")]
pub fn providers(providers: impl IntoIterator<Item = (ProviderName, SharedProvider)>) -> Providers {
    let client = client().unwrap();
    let mut all = ProvidersConfig::new(&Env::default())
        .providers(client)
        .unwrap();
    for (name, provider) in providers {
        all.insert(name, provider);
    }
    all
}
