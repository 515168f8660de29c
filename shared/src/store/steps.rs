//! The journal of an execution in parts.

use super::{
    DocumentPath, Error, Listing, Page, Store, decode,
    document_db::{Comparison, Document, Query, ValueType, value},
};
use crate::{
    ids::{ExecutionId, OrgId},
    models::{Step, StepPage},
};

/// Where a part of a journal ended: a document can hold many steps.
#[derive(Debug, PartialEq)]
struct Place {
    document_id: String,
    /// How many of the document's steps were before it.
    given: usize,
}

impl Store {
    /// Steps of the organization's execution, by document. None is left out or comes twice, though
    /// the journal grows meanwhile: what is in it stays where it is.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn page_steps(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        page: &Page,
    ) -> Result<Listing<Step>, Error> {
        let place = page.after.as_deref().and_then(Place::parse);
        let mut documents = self.begun_document(org_id, id, place.as_ref()).await?;
        documents.extend(self.next_documents(org_id, id, page, place).await?);
        let (mut items, mut last) = (Vec::new(), None);
        for (document, given) in documents {
            let document_id = document.path.id();
            for (position, step) in steps_of(&document)?.into_iter().enumerate().skip(given) {
                if items.len() == page.limit as usize {
                    return Ok(Listing { items, next: last });
                }
                last = Some(Place::format(document_id, position + 1));
                items.push(step);
            }
        }
        Ok(Listing { items, next: None })
    }

    /// The document in which the last part ended, which may have more.
    async fn begun_document(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        place: Option<&Place>,
    ) -> Result<Vec<(Document, usize)>, Error> {
        let Some(place) = place else {
            return Ok(Vec::new());
        };
        let document = self.db.get(&path(id, &place.document_id)).await?;
        let owner = value(ValueType::StringValue(org_id.to_string()));
        let document = document.filter(|document| document.fields.get("orgId") == Some(&owner));
        let document = document.map(|document| (document, place.given));
        Ok(document.into_iter().collect())
    }

    async fn next_documents(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        page: &Page,
        place: Option<Place>,
    ) -> Result<Vec<(Document, usize)>, Error> {
        // Each has at least one step, and one more tells whether there is a next part.
        let mut query = Query::new(collection(id), page.limit.saturating_add(1));
        query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        query.after = place.map(|place| (None, place.document_id));
        let documents = self.db.query(&query).await?.into_iter();
        Ok(documents.map(|document| (document, 0)).collect())
    }
}

/// Whether this is where a part of a journal may have ended.
#[must_use]
pub fn is_place(text: &str) -> bool {
    Place::parse(text).is_some()
}

impl Place {
    fn format(document_id: &str, given: usize) -> String {
        format!("{given}_{document_id}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (given, document_id) = text.split_once('_')?;
        let is_segment = !document_id.is_empty() && !document_id.contains('/');
        is_segment.then_some(Self {
            document_id: document_id.to_owned(),
            given: given.parse().ok()?,
        })
    }
}

fn steps_of(document: &Document) -> Result<Vec<Step>, Error> {
    if document.fields.contains_key("page") {
        return Ok(decode::<StepPage>(document)?.page);
    }
    Ok(vec![decode(document)?])
}

fn collection(id: &ExecutionId) -> String {
    DocumentPath::new("executions", id.as_str()).collection("steps")
}

fn path(id: &ExecutionId, document_id: &str) -> DocumentPath {
    DocumentPath::new("executions", id.as_str()).child("steps", document_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_it_is_read() {
        for document_id in ["n_1#0.3", "@2-7", "__"] {
            let text = Place::format(document_id, 12);
            let document_id = document_id.to_owned();
            let given = 12;
            assert_eq!(Place::parse(&text), Some(Place { document_id, given }));
        }
        for text in ["", "_", "1_", "n1#0", "x_n1#0", "-1_n1#0", "1_a/b"] {
            assert!(!is_place(text), "{text}");
        }
    }
}
