//! Every field that holds a sealed text, for who has to find all of them.

use crate::{
    crypto::Place,
    ids::{IntegrationId, OrgId},
    models::{Integration, IntegrationService, Sealed},
};

/// The models with sealed fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedModel {
    /// [`Integration`].
    Integration,
}

impl SealedModel {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Integration];

    /// The name of the struct.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integration => "Integration",
        }
    }

    /// The collection of its documents.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Self::Integration => "integrations",
        }
    }

    /// The names of its sealed fields.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Integration => Integration::SEALED,
        }
    }
}

/// A document with sealed fields.
pub trait SealedFields {
    /// Their names.
    const SEALED: &'static [&'static str];

    /// The texts, each with the place that it is sealed for.
    fn sealed(&self) -> Vec<(Place<'_>, &Sealed)>;

    /// The texts in the same order, to be replaced.
    fn sealed_mut(&mut self) -> Vec<&mut Sealed>;
}

const CREDENTIALS: &str = "credentials";

impl SealedFields for Integration {
    const SEALED: &'static [&'static str] = &[CREDENTIALS];

    fn sealed(&self) -> Vec<(Place<'_>, &Sealed)> {
        let place = credentials_of(&self.org_id, &self.id, self.service);
        vec![(place, &self.credentials)]
    }

    fn sealed_mut(&mut self) -> Vec<&mut Sealed> {
        vec![&mut self.credentials]
    }
}

/// The place of an integration's credentials.
pub(super) fn credentials_of<'a>(
    org_id: &'a OrgId,
    id: &'a IntegrationId,
    service: IntegrationService,
) -> Place<'a> {
    Place {
        org_id: org_id.as_str(),
        integration_id: id.as_str(),
        service: service.as_str(),
        field: CREDENTIALS,
    }
}
