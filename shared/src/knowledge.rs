//! Retrieval: finds in an organization's index what a query asks for, by meaning and by words.
//!
//! What is found are chunks whose vectors are near to the query's, and chunks that share its rarest
//! words. Both are asked for by organization and principal, and held to them once more, and to what
//! their integrations are now; then both are told apart by meaning and words alike.

mod fusion;
mod grants;
mod keywords;
mod meaning;
mod query;
mod terms;

use std::{collections::HashMap, mem};

use futures::try_join;

pub use self::terms::{keyed_terms, terms, titled_terms};
use self::{
    fusion::{Signs, Spread},
    grants::Grants,
    keywords::ByWords,
    meaning::cosine,
    query::Sought,
};
use crate::{
    ids::{IntegrationId, OrgId, RecordId, Uid},
    llm::EmbeddingRequest,
    models::{KnowledgeChunk, KnowledgeSource, ORGANIZATION, Vector, user_principal},
    quota::{self, Call, MeteredLlm},
    retry::Transient,
    store::{self, Store},
};

/// Hits of one search at most.
pub const MAX_HITS: u32 = 20;

/// Of a query, so many characters are looked for.
pub const MAX_QUERY_CHARS: usize = 2_000;

/// Documents that one search reads at most: the model, counts of terms, what either list finds, and
/// integrations.
pub const MAX_READS: usize = 1 + keywords::MAX_READS + meaning::MAX_READS + grants::MAX_READS;

/// Principals that one search is for at most: everybody, and a user.
const MAX_PRINCIPALS: usize = 2;

/// What is looked for, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// For whom: see [`principals_of`].
    pub principals: Vec<String>,
    /// Words. What has those in quotes as they are comes first, and nothing else where all of it is in
    /// quotes.
    pub query: String,
    /// At most so many hits, up to [`MAX_HITS`].
    pub limit: u32,
    /// Only what was synced through this integration.
    pub integration_id: Option<IntegrationId>,
}

/// A piece of a mail or file that a search has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The piece.
    pub chunk_id: RecordId,
    /// The mail or file.
    pub document_id: RecordId,
    /// Where it comes from.
    pub source: KnowledgeSource,
    /// What it says.
    pub text: String,
    /// How well it fits, for comparison with other hits of the same search.
    pub score: f64,
}

/// Why nothing can be searched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query cannot be placed among the vectors.
    #[error(transparent)]
    Quota(#[from] quota::Error),
    /// The model's vectors have another length than those that are indexed.
    #[error("the embedding model makes no vectors of the length that is indexed")]
    Dimension,
    /// The database failed, or has no index yet.
    #[error("the knowledge cannot be searched")]
    Store(#[from] store::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Quota(error) => error.is_transient(),
            Self::Dimension => false,
            Self::Store(error) => error.is_transient(),
        }
    }
}

/// What one search may see.
struct Scope<'a> {
    org_id: &'a OrgId,
    principals: &'a [String],
    integration_id: Option<&'a IntegrationId>,
    embedding_model: &'a str,
}

/// For whom a search is: everybody in the organization, and one user if there is one.
#[must_use]
pub fn principals_of(uid: Option<&Uid>) -> Vec<String> {
    let organization = [ORGANIZATION.to_owned()];
    organization
        .into_iter()
        .chain(uid.map(user_principal))
        .collect()
}

/// What places the query of a search among the organization's vectors; none when there is nothing to
/// search, or nothing to search for.
///
/// # Errors
/// Returns the database's error.
pub async fn to_embed(
    store: &Store,
    org_id: &OrgId,
    search: &Search,
    idempotency_key: &str,
) -> Result<Option<EmbeddingRequest>, Error> {
    let query = search.shortened();
    if query.trim().is_empty() || search.limit == 0 {
        return Ok(None);
    }
    let used = store.find_knowledge_use(org_id).await?;
    let model = used.and_then(|used| used.value.embedding_model);
    Ok(model.map(|model| EmbeddingRequest {
        model,
        inputs: vec![query],
        dimensions: Some(Vector::INDEXED_DIMENSION),
        idempotency_key: idempotency_key.to_owned(),
    }))
}

/// What the search finds, best first, by the vector that `embedding_model` has made of its query.
///
/// # Errors
/// Returns the database's error.
pub async fn find(
    store: &Store,
    org_id: &OrgId,
    search: &Search,
    embedding_model: &str,
    vector: Vector,
) -> Result<Vec<Hit>, Error> {
    if vector.as_slice().len() != Vector::INDEXED_DIMENSION as usize {
        return Err(Error::Dimension);
    }
    let scope = Scope {
        org_id,
        principals: &search.principals[..search.principals.len().min(MAX_PRINCIPALS)],
        integration_id: search.integration_id.as_ref(),
        embedding_model,
    };
    let sought = Sought::parse(&search.shortened());
    let (by_words, by_meaning) = try_join!(
        keywords::find(store, &scope, &sought),
        meaning::find(store, &scope, &vector),
    )?;
    let ranked = rank(&scope, &sought, &vector, by_words, by_meaning);
    let grants = Grants::of(store, &scope, ranked.iter().map(|(_, chunk)| chunk)).await?;
    let held = ranked.into_iter();
    let held = held.filter(|(_, chunk)| grants.hold(&scope, chunk));
    let limit = search.limit.min(MAX_HITS) as usize;
    let hits = held.take(limit);
    Ok(hits.map(|(score, chunk)| Hit::of(chunk, score)).collect())
}

/// Places the query of a search, and finds.
///
/// # Errors
/// As [`MeteredLlm::embed`], and the database's error.
pub async fn search(
    store: &Store,
    llm: &MeteredLlm,
    call: &Call<Search>,
    idempotency_key: &str,
) -> Result<Vec<Hit>, Error> {
    let (org_id, search) = (&call.org_id, &call.request);
    let Some(request) = to_embed(store, org_id, search, idempotency_key).await? else {
        return Ok(Vec::new());
    };
    let embedding_model = request.model.clone();
    let call = Call {
        org_id: org_id.clone(),
        agent_id: call.agent_id.clone(),
        workflow_id: call.workflow_id.clone(),
        execution_id: call.execution_id.clone(),
        uid: call.uid.clone(),
        request,
    };
    let placed = llm.embed(&call).await?;
    let vector = placed.response.vectors.into_iter().next();
    let vector = vector.ok_or(Error::Dimension)?.into();
    find(store, org_id, search, &embedding_model, vector).await
}

impl Search {
    fn shortened(&self) -> String {
        self.query.chars().take(MAX_QUERY_CHARS).collect()
    }
}

impl Scope<'_> {
    /// Whether the chunk may be seen; the queries ask for no others, but for those of other
    /// integrations and other models that share a word.
    fn holds(&self, chunk: &KnowledgeChunk) -> bool {
        let is_for = |principal| chunk.principals.contains(principal);
        self.principals.iter().any(is_for)
            && chunk.embedding_model == self.embedding_model
            && self
                .integration_id
                .is_none_or(|id| chunk.integration_id == *id)
    }
}

impl Hit {
    fn of(chunk: KnowledgeChunk, score: f64) -> Self {
        Self {
            chunk_id: chunk.id,
            document_id: chunk.document_id,
            source: chunk.source,
            text: chunk.text,
            score,
        }
    }
}

/// What may be seen of both lists, and has the phrases if they are all of the query, each once and best first; what is equal
/// in the order of ids, so that a repeat finds the same.
fn rank(
    scope: &Scope<'_>,
    sought: &Sought,
    vector: &Vector,
    mut by_words: ByWords<'_>,
    by_meaning: Vec<KnowledgeChunk>,
) -> Vec<(f64, KnowledgeChunk)> {
    let near = by_meaning.iter();
    let spread = Spread::of(near.map(|chunk| cosine(&chunk.embedding, vector)));
    let found = mem::take(&mut by_words.chunks).into_iter();
    let found = found.chain(by_meaning).filter(|chunk| {
        let has_phrases = || sought.is_met_by(&[&chunk.source.title, &chunk.text]);
        scope.holds(chunk) && (!sought.is_quotation() || has_phrases())
    });
    let found: HashMap<_, _> = found.map(|chunk| (chunk.id.clone(), chunk)).collect();
    let scored = found.into_values().map(|chunk| {
        let signs = Signs {
            cosine: cosine(&chunk.embedding, vector),
            words: by_words.share(scope, &chunk),
            is_exact: by_words.is_exact(scope, sought, &chunk),
        };
        (fusion::score(spread, signs), chunk)
    });
    let mut scored: Vec<_> = scored.collect();
    scored.sort_by(|(left_score, left), (right_score, right)| {
        let by_score = right_score.total_cmp(left_score);
        by_score.then_with(|| left.id.as_str().cmp(right.id.as_str()))
    });
    scored
}
