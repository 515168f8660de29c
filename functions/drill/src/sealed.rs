//! A sample of what is sealed, of each version of the key, is opened: an export is worth nothing when
//! the keys of its credentials are gone. What is opened is looked at by nobody.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use shared::{
    crypto::{Envelope, EnvelopeError, envelope::key_version},
    models::Integration,
    retry::{Policy, retry},
    store::{decode, document_db::Document},
    vault::{KEY_DESTROYED, SealedFields, SealedModel},
};

use crate::{canonical::Hash, report::SealedReport};

/// Documents that are opened of each version.
const SAMPLE: usize = 20;

/// What names no version, or is no document of its model.
const UNREADABLE: &str = "unreadable";

/// Documents to open, chosen by the hash of their paths and of the drill's name: others each time.
pub(crate) struct Sample {
    salt: String,
    versions: BTreeMap<String, Version>,
}

#[derive(Default)]
struct Version {
    documents: u64,
    chosen: BTreeMap<Hash, Document>,
}

impl Sample {
    pub(crate) fn new(salt: &str) -> Self {
        Self {
            salt: salt.to_owned(),
            versions: BTreeMap::new(),
        }
    }

    /// Considers a document.
    pub(crate) fn add(&mut self, collection: &str, document: &Document) {
        let mut models = SealedModel::ALL.into_iter();
        match models.find(|model| model.collection() == collection) {
            None => {}
            Some(SealedModel::Integration) => self.add_integration(document),
        }
    }

    fn add_integration(&mut self, document: &Document) {
        let integration: Option<Integration> = decode(document).ok();
        let is_known_lost = integration
            .as_ref()
            .is_some_and(|one| one.error_cause.as_deref() == Some(KEY_DESTROYED));
        if is_known_lost {
            return;
        }
        let texts = integration.iter().flat_map(SealedFields::sealed);
        let mut versions: Vec<String> = texts
            .map(|(_, text)| key_version(text.as_str()).unwrap_or_else(|| UNREADABLE.to_owned()))
            .collect();
        if integration.is_none() {
            versions.push(UNREADABLE.to_owned());
        }
        for version in versions {
            self.choose(version, document);
        }
    }

    fn choose(&mut self, version: String, document: &Document) {
        let mut hasher = Sha256::new();
        hasher.update(&self.salt);
        hasher.update(document.path.as_str());
        let version = self.versions.entry(version).or_default();
        version.documents += 1;
        version
            .chosen
            .insert(hasher.finalize().into(), document.clone());
        if version.chosen.len() > SAMPLE {
            version.chosen.pop_last();
        }
    }

    /// Opens what was chosen.
    ///
    /// # Errors
    /// Returns [`EnvelopeError::Unavailable`] when the key cannot be asked.
    pub(crate) async fn open(
        self,
        envelope: &Envelope,
    ) -> Result<Vec<SealedReport>, EnvelopeError> {
        let mut reports = Vec::new();
        for (version, Version { documents, chosen }) in self.versions {
            let mut report = SealedReport {
                version,
                documents,
                opened: 0,
                unopenable: 0,
            };
            for document in chosen.values() {
                match opens(document, envelope).await? {
                    true => report.opened += 1,
                    false => report.unopenable += 1,
                }
            }
            reports.push(report);
        }
        Ok(reports)
    }
}

async fn opens(document: &Document, envelope: &Envelope) -> Result<bool, EnvelopeError> {
    let Ok(integration) = decode::<Integration>(document) else {
        return Ok(false);
    };
    for (place, text) in integration.sealed() {
        match retry(Policy::REMOTE_CALL, || envelope.open(text.as_str(), &place)).await {
            // It is wiped here.
            Ok(_plaintext) => {}
            Err(EnvelopeError::Unopenable) => return Ok(false),
            Err(unavailable) => return Err(unavailable),
        }
    }
    Ok(true)
}
