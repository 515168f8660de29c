use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use shared::{
    crypto::{Envelope, EnvelopeError, envelope::key_version},
    models::Sealed,
    vault::SealedFields,
};

/// How a document's sealed texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All can be opened and are under the primary version now; some were not before.
    Moved,
    /// All can be opened and were under the primary version before.
    InPlace,
    /// One is under a version that is gone for good.
    Lost,
    /// One cannot be opened, for whatever other reason.
    Unopenable,
}

/// Moves the sealed texts of documents.
pub(crate) struct Texts {
    envelope: Envelope,
    /// Whether versions are gone for good, by name: Cloud KMS answers few such questions a minute.
    destroyed: Mutex<BTreeMap<String, bool>>,
}

impl Texts {
    pub(crate) fn new(envelope: Envelope) -> Self {
        let destroyed = Mutex::default();
        Self {
            envelope,
            destroyed,
        }
    }

    /// Moves a document's texts to the primary version, in memory.
    ///
    /// # Errors
    /// Returns [`EnvelopeError::Unavailable`] and no other.
    pub(crate) async fn rewrap<T: SealedFields>(
        &self,
        document: &mut T,
    ) -> Result<State, EnvelopeError> {
        let mut moved = Vec::new();
        for (place, text) in document.sealed() {
            match self.envelope.rewrap(text.as_str(), &place).await {
                Ok(text) => moved.push(text),
                Err(EnvelopeError::Unopenable) => return self.why_unopenable(text).await,
                Err(unavailable) => return Err(unavailable),
            }
        }
        let is_in_place = moved.iter().all(Option::is_none);
        for (text, moved) in document.sealed_mut().into_iter().zip(moved) {
            if let Some(moved) = moved {
                *text = moved.into();
            }
        }
        Ok(if is_in_place {
            State::InPlace
        } else {
            State::Moved
        })
    }

    async fn why_unopenable(&self, text: &Sealed) -> Result<State, EnvelopeError> {
        let Some(version) = key_version(text.as_str()) else {
            return Ok(State::Unopenable);
        };
        let known = self.with_destroyed(|destroyed| destroyed.get(&version).copied());
        let is_lost = match known {
            Some(is_lost) => is_lost,
            None => match self.envelope.is_lost(text.as_str()).await {
                Ok(is_lost) => is_lost,
                Err(EnvelopeError::Unopenable) => false,
                Err(unavailable) => return Err(unavailable),
            },
        };
        self.with_destroyed(|destroyed| destroyed.insert(version, is_lost));
        Ok(if is_lost {
            State::Lost
        } else {
            State::Unopenable
        })
    }

    fn with_destroyed<T>(&self, work: impl FnOnce(&mut BTreeMap<String, bool>) -> T) -> T {
        let destroyed = self.destroyed.lock();
        work(&mut destroyed.unwrap_or_else(PoisonError::into_inner))
    }
}
