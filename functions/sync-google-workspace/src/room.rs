//! How much more an organization may keep in its index.

use shared::{
    ids::OrgId,
    models::KnowledgeUse,
    quota::Plan,
    store::{self, Versioned, Write, knowledge},
};

use crate::{AppState, change::Change, leg::Leg, stop::Stop};

/// What an organization keeps, and may keep.
pub(crate) struct Room {
    plan: Plan,
    before: Option<Versioned<KnowledgeUse>>,
    used: KnowledgeUse,
}

impl Room {
    /// The models that vectors are made by: the one that is searched, and the one that will be.
    pub(crate) async fn models(
        app: &AppState,
        org_id: &OrgId,
    ) -> Result<Vec<String>, store::Error> {
        let found = app.store.find_knowledge_use(org_id).await?;
        Ok(models(app, found.map(|found| found.value).as_ref()))
    }

    /// The room for these changes, as it is now.
    pub(crate) async fn of(leg: &Leg<'_>, changes: &[Change]) -> Result<Self, Stop> {
        if changes.iter().all(|change| change.writes.is_empty()) {
            return Ok(Self::unasked(&leg.plan));
        }
        Self::now(leg).await
    }

    /// The room as it is now. Vectors of other models than the leg's would not be found.
    pub(crate) async fn now(leg: &Leg<'_>) -> Result<Self, Stop> {
        let before = leg.app.store.find_knowledge_use(leg.org_id()).await?;
        let used = before.as_ref().map(|before| before.value.clone());
        if models(leg.app, used.as_ref()) != leg.models {
            return Err(Stop::OutOfTime);
        }
        Ok(Self {
            plan: leg.plan.clone(),
            before,
            used: used.unwrap_or_default(),
        })
    }

    fn unasked(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            before: None,
            used: KnowledgeUse::default(),
        }
    }

    /// Takes room, if there is so much. What makes room always may.
    pub(crate) fn take(&mut self, documents: i64, bytes: i64) -> bool {
        let fits = |used: i64, more: i64, limit: i64| more <= 0 || used + more <= limit;
        let is_allowed = fits(
            self.used.documents,
            documents,
            self.plan.knowledge_documents,
        ) && fits(self.used.bytes, bytes, self.plan.knowledge_bytes);
        if is_allowed {
            self.used.documents += documents;
            self.used.bytes += bytes;
        }
        is_allowed
    }

    /// Whether nothing more fits.
    pub(crate) fn is_full(&self) -> bool {
        self.used.documents >= self.plan.knowledge_documents
            || self.used.bytes >= self.plan.knowledge_bytes
    }

    /// Whether so much is free that it is worth a look at all that was left out.
    pub(crate) fn is_ample(&self) -> bool {
        let is_ample =
            |used: i64, limit: i64| used < limit && used.saturating_mul(50) <= limit * 49;
        is_ample(self.used.documents, self.plan.knowledge_documents)
            && is_ample(self.used.bytes, self.plan.knowledge_bytes)
    }

    /// The write that keeps what was taken, if anything was.
    pub(crate) fn write(&self, leg: &Leg<'_>) -> Result<Option<Write>, store::Error> {
        let before = self.before.as_ref();
        let is_same = before.map(|before| &before.value) == Some(&self.used);
        if is_same || self.used == KnowledgeUse::default() {
            return Ok(None);
        }
        let mut used = self.used.clone();
        used.embedding_model = leg.models.first().cloned();
        if before.is_none_or(|before| before.value.documents == 0) {
            // The first text has the model that is wanted: there is nothing to change any more.
            used.next_model = None;
            used.reindexed_to = None;
        }
        if used.previous_model == used.embedding_model {
            used.previous_model = None;
        }
        let version = before.map(|before| before.version);
        knowledge::set_use(leg.org_id(), &used, version).map(Some)
    }
}

/// An index without a text may have any model, but for one whose vectors are being removed.
fn models(app: &AppState, used: Option<&KnowledgeUse>) -> Vec<String> {
    let wanted = Some(&app.settings.embedding_model);
    let is_bound = |used: &&KnowledgeUse| {
        used.documents > 0
            || (used.previous_model.is_some() && used.previous_model.as_ref() == wanted)
    };
    let used = used.filter(is_bound);
    let searched = used.and_then(|used| used.embedding_model.clone());
    let used = used.filter(|used| used.documents > 0);
    let next = used.and_then(|used| used.next_model.clone());
    let searched = searched.unwrap_or_else(|| app.settings.embedding_model.clone());
    [searched].into_iter().chain(next).collect()
}
