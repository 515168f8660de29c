//! Models in the making: each tick goes on with those that are due.
//!
//! The provider has no keys for repeats. So a tuning's state is written before what it names is asked
//! for, and a job that may be there is looked for before it is asked for again.
//! `docs/adr/20261127-tuned-models.md` tells why there is never a second job.

mod end;

use futures::future::join_all;
use shared::{
    audit,
    llm::{Error as LlmError, JobState, SharedTuner, TuningJob, TuningOrder},
    models::{Agent, Timestamp, Tuning, TuningState},
    quota,
    retry::Transient,
    store::{self, Store, commit_contended, tunings},
    training::{Dataset, MIN_EXAMPLES},
};

use self::end::{End, end};
use crate::{AppState, CALLER};

/// Tunings that one tick goes on with at most.
const MAX_TUNINGS: u32 = 20;

/// How long a tick has a tuning to itself, in seconds: longer than
/// [`REQUEST_TIMEOUT`](crate::REQUEST_TIMEOUT), so that whoever acts still has it.
const LEASE_SECS: i64 = 900;

/// When a job is looked at again, in seconds.
const POLL_SECS: i64 = 60;

/// When a step that failed is tried again, in seconds.
const RETRY_SECS: i64 = 300;

/// When nobody waits for a job any longer, in seconds.
const GIVE_UP_SECS: i64 = 7 * 24 * 3_600;

/// How long a provider may then leave it open what has become of the job, in seconds.
const LAST_LOOK_SECS: i64 = 24 * 3_600;

/// Why a step of a tuning is not done.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// Somebody else is at the tuning, or it has ended.
    #[error("somebody else is at the tuning")]
    Superseded,
    /// The provider did not do what was asked.
    #[error("the provider did not do what was asked")]
    Provider(#[from] LlmError),
    /// It cannot be booked.
    #[error("the tuning cannot be booked")]
    Quota(#[from] quota::Error),
    /// It cannot be recorded.
    #[error("the tuning cannot be recorded")]
    Audit(#[from] audit::Error),
    /// The database failed.
    #[error("the tuning cannot be read or written")]
    Store(#[from] store::Error),
}

/// What a tick does with a tuning next.
enum Step {
    /// Something more at once.
    Again,
    /// Nothing until later, in seconds.
    Wait(i64),
    /// Nothing any more.
    End(End),
}

/// A tuning that this tick has to itself until its lease ends.
struct Held<'a> {
    state: &'a AppState,
    tuning: Tuning,
}

/// Goes on with tunings that are due; tells how many there were.
///
/// # Errors
/// Returns the database's error when they cannot be listed.
pub(crate) async fn advance_due(state: &AppState) -> Result<usize, store::Error> {
    let now = state.clock.now().into();
    let due = state
        .store
        .list_due_tunings(&CALLER, now, MAX_TUNINGS)
        .await?;
    join_all(due.iter().map(|tuning| advance(state, tuning))).await;
    Ok(due.len())
}

async fn advance(state: &AppState, tuning: &Tuning) {
    let outcome = match Held::claim(state, tuning).await {
        Ok(mut held) => held.go_on().await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) | Err(Error::Superseded) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(tuning.id = %tuning.id, error, "tuning left for a later tick");
        }
    }
}

impl<'a> Held<'a> {
    async fn claim(state: &'a AppState, due: &Tuning) -> Result<Self, Error> {
        let mut held = Self {
            state,
            tuning: due.clone(),
        };
        held.write(|_| {}).await?;
        Ok(held)
    }

    async fn go_on(&mut self) -> Result<(), Error> {
        loop {
            match self.step().await {
                Ok(Step::Again) => {}
                Ok(Step::Wait(seconds)) => return self.leave(seconds).await,
                Ok(Step::End(ended)) => return end(self.state, &self.tuning, ended).await,
                Err(Error::Superseded) => return Err(Error::Superseded),
                Err(error) => {
                    self.leave(RETRY_SECS).await?;
                    return Err(error);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Step, Error> {
        let Some(tuner) = self.state.tuner.clone() else {
            return Ok(self.without_tuner());
        };
        if self.is_older_than(GIVE_UP_SECS) {
            return self.give_up(&tuner).await;
        }
        match self.tuning.state {
            TuningState::Queued if self.is_unwanted().await? => Ok(Step::End(End::cancelled())),
            TuningState::Queued => {
                self.write(|tuning| tuning.state = TuningState::Uploading)
                    .await?;
                Ok(Step::Again)
            }
            TuningState::Uploading => self.upload(&tuner).await,
            TuningState::Running => match self.tuning.job_id.clone() {
                None => self.begin(&tuner).await,
                Some(id) => self.look(&tuner, &id).await,
            },
            _ => Err(Error::Superseded),
        }
    }

    /// What is not asked for yet ends. A job goes on without us: its model and its price are not lost
    /// sight of because a key is missing for a while.
    fn without_tuner(&self) -> Step {
        match self.tuning.state {
            TuningState::Running if self.is_older_than(GIVE_UP_SECS + LAST_LOOK_SECS) => {
                Step::End(End::lost())
            }
            TuningState::Running => {
                let message = "no provider that tunes models is configured, but a job may be there";
                tracing::error!(tuning.id = %self.tuning.id, message);
                Step::Wait(RETRY_SECS)
            }
            _ => {
                let message = "no provider that tunes models is configured";
                Step::End(End::failed("unavailable", message))
            }
        }
    }

    /// Ends what has taken too long, by what has become of its job.
    async fn give_up(&self, tuner: &SharedTuner) -> Result<Step, Error> {
        if self.tuning.state != TuningState::Running {
            let message = "the examples were not handed over in time";
            return Ok(Step::End(End::failed("deadline_exceeded", message)));
        }
        let looked = match &self.tuning.job_id {
            Some(id) => tuner.look_at(id).await.map(Some),
            None => tuner.find(self.tuning.id.as_str()).await,
        };
        let ended = match looked {
            Ok(Some(job)) if job.state == JobState::Open => {
                self.stop(tuner, &job.id).await;
                End::lost()
            }
            Ok(Some(job)) => End::of(&job),
            Ok(None) => {
                let message = "the job was not begun in time";
                End::failed("deadline_exceeded", message)
            }
            Err(_) if self.is_older_than(GIVE_UP_SECS + LAST_LOOK_SECS) => End::lost(),
            Err(error) => return Err(error.into()),
        };
        Ok(Step::End(ended))
    }

    fn is_older_than(&self, seconds: i64) -> bool {
        self.now() > self.tuning.created_at.plus_seconds(seconds)
    }

    /// Hands the examples over: those whose owners still approve of them. A file from before a crash
    /// is of no use to anybody, and the provider deletes it.
    async fn upload(&mut self, tuner: &SharedTuner) -> Result<Step, Error> {
        let Some(agent) = self.agent().await?.filter(|_| !self.tuning.is_cancelling) else {
            return Ok(Step::End(End::cancelled()));
        };
        if self.is_switched_off().await? {
            return Ok(Step::Wait(RETRY_SECS));
        }
        let max_bytes = usize::try_from(self.tuning.max_bytes).unwrap_or_default();
        let dataset = Dataset::of(&self.state.store, &agent, max_bytes).await?;
        if dataset.examples < MIN_EXAMPLES {
            let message = "fewer than 10 conversations are still approved";
            return Ok(Step::End(End::failed("failed_precondition", message)));
        }
        let key = self.tuning.id.as_str();
        let file_id = match tuner.upload(key, dataset.lines).await {
            Ok(file_id) => file_id,
            Err(error) => return refused(error),
        };
        self.write(|tuning| {
            tuning.file_id = Some(file_id.clone());
            tuning.examples = dataset.examples;
            tuning.state = TuningState::Running;
        })
        .await?;
        Ok(Step::Again)
    }

    /// Has the job be made, unless it is there. The lease begins anew with the write before.
    async fn begin(&mut self, tuner: &SharedTuner) -> Result<Step, Error> {
        self.write(|_| {}).await?;
        let key = self.tuning.id.as_str();
        let job = match tuner.find(key).await? {
            Some(job) => job,
            None if self.is_unwanted().await? => return Ok(Step::End(End::cancelled())),
            None if self.is_switched_off().await? => return Ok(Step::Wait(RETRY_SECS)),
            None => {
                let order = TuningOrder {
                    key: key.to_owned(),
                    base_model: self.tuning.base_model.clone(),
                    file_id: self.tuning.file_id.clone().unwrap_or_default(),
                    epochs: self.tuning.epochs,
                };
                match tuner.create(&order).await {
                    Ok(job) => job,
                    Err(error) => return refused(error),
                }
            }
        };
        self.write(|tuning| tuning.job_id = Some(job.id.clone()))
            .await?;
        Ok(after(&job))
    }

    async fn look(&mut self, tuner: &SharedTuner, id: &str) -> Result<Step, Error> {
        let job = tuner.look_at(id).await?;
        if job.state != JobState::Open || !self.is_unwanted().await? {
            return Ok(after(&job));
        }
        Ok(after(&tuner.cancel(id).await?))
    }

    /// Nobody waits for the job any more, so it does not matter whether it can be stopped.
    async fn stop(&self, tuner: &SharedTuner, job_id: &str) {
        if let Err(error) = tuner.cancel(job_id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(tuning.id = %self.tuning.id, error, "job left at the provider");
        }
    }

    /// Whether it is to stop: somebody has said so, or the agent is gone.
    async fn is_unwanted(&self) -> Result<bool, Error> {
        Ok(self.tuning.is_cancelling || self.agent().await?.is_none())
    }

    /// Whether nothing is to be asked of providers now. What is there already goes on.
    async fn is_switched_off(&self) -> Result<bool, Error> {
        match self.state.llm.require_on(&self.tuning.org_id).await {
            Ok(()) => Ok(false),
            Err(quota::Error::SwitchedOff) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn agent(&self) -> Result<Option<Agent>, Error> {
        let Tuning {
            org_id, agent_id, ..
        } = &self.tuning;
        let agent = self.state.store.find_agent(org_id, agent_id).await?;
        Ok(agent.map(|agent| agent.value))
    }

    /// Keeps a change and begins the lease anew, if this tick still has it.
    async fn write(&mut self, change: impl Fn(&mut Tuning)) -> Result<(), Error> {
        let due_at = self.now().plus_seconds(LEASE_SECS);
        self.write_until(due_at, change).await
    }

    async fn leave(&mut self, seconds: i64) -> Result<(), Error> {
        let due_at = self.now().plus_seconds(seconds);
        self.write_until(due_at, |_| {}).await
    }

    async fn write_until(
        &mut self,
        due_at: Timestamp,
        change: impl Fn(&mut Tuning),
    ) -> Result<(), Error> {
        let (store, now) = (&self.state.store, self.now());
        let (held, change) = (&self.tuning, &change);
        self.tuning = commit_contended(store, || async move {
            let mut found = find_held(store, held).await?;
            change(&mut found.value);
            if found.value.state != held.state {
                found.value.updated_at = now;
            }
            found.value.due_at = Some(due_at);
            Ok::<_, Error>((vec![tunings::replace(&found)?], found.value))
        })
        .await?;
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.state.clock.now().into()
    }
}

/// The tuning, if nobody has taken it since `held` was read. Others change it meanwhile only to have
/// it stopped.
async fn find_held(store: &Store, held: &Tuning) -> Result<store::Versioned<Tuning>, Error> {
    let Tuning {
        org_id,
        agent_id,
        id,
        ..
    } = held;
    let found = store.find_tuning(org_id, agent_id, id).await?;
    let found = found.filter(|found| found.value.due_at == held.due_at);
    found.ok_or(Error::Superseded)
}

fn after(job: &TuningJob) -> Step {
    match job.state {
        JobState::Open => Step::Wait(POLL_SECS),
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => Step::End(End::of(job)),
    }
}

/// What is refused for good ends the tuning; anything else is tried again, and a job that may be
/// there all the same is looked for first.
fn refused(error: LlmError) -> Result<Step, Error> {
    if error.is_transient() || !error.is_unused() {
        return Err(error.into());
    }
    Ok(Step::End(End::failed("provider", &error.to_string())))
}
