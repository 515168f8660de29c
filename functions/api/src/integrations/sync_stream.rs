//! The syncs of an account as they go on, for those who watch them.

use std::future::{self, Future};

use futures::{Stream, TryStreamExt, stream};
use shared::{clock::SharedClock, ids::IntegrationId, models::Principal, store::Store};

use super::sync::{SyncReport, report};
use crate::{error::Error, pace::Pace};

/// Whose syncs are watched.
pub(crate) struct Watched {
    pub(crate) store: Store,
    pub(crate) clock: SharedClock,
    pub(crate) principal: Principal,
    pub(crate) id: IntegrationId,
    /// The version that the client has.
    pub(crate) version: Option<String>,
}

/// The report, with its version, whenever it is not what was seen before. The stream ends after a
/// while, when the account is gone, and when `may_watch` says so.
pub(crate) fn watch<F, A>(
    watched: Watched,
    may_watch: F,
) -> impl Stream<Item = Result<(String, SyncReport), Error>> + Send
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = bool> + Send,
{
    let watch = Watch {
        watched,
        pace: Pace::new(),
        may_watch,
    };
    stream::try_unfold(watch, Watch::next).try_filter_map(|news| future::ready(Ok(news)))
}

struct Watch<F> {
    watched: Watched,
    pace: Pace,
    may_watch: F,
}

type News = Option<(String, SyncReport)>;

impl<F, A> Watch<F>
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = bool> + Send,
{
    async fn next(mut self) -> Result<Option<(News, Self)>, Error> {
        if !self.pace.next(&self.may_watch).await {
            return Ok(None);
        }
        match self.watched.look().await {
            Ok(news) => {
                self.pace.plan(news.is_some(), true);
                Ok(Some((news, self)))
            }
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Watched {
    async fn look(&mut self) -> Result<News, Error> {
        let now = self.clock.now().into();
        let report = report(&self.store, &self.principal, &self.id, now).await?;
        let version = report.version()?;
        if self.version.as_ref() == Some(&version) {
            return Ok(None);
        }
        self.version = Some(version.clone());
        Ok(Some((version, report)))
    }
}
