//! Whether an organization's ledger, quota and `apiUsage` agree.

use futures::{StreamExt, stream};
use shared::{
    ids::OrgId,
    models::{ReconcileStep, TokenQuota, UsageDrift, UsageFailure, UsageReconciliation},
    quota::{
        held,
        ledger::{self, sum_months},
    },
    retry::{Policy, Transient, retry},
    store::{Store, organizations::period_of},
};

use super::{
    super::{AT_ONCE, Error, Meter},
    fail, keep,
};
use crate::CALLER;

/// Looks at the ledger while calls go on before an organization is left for the next night.
const LOOKS: usize = 3;

/// Looks at a page of organizations, in which each whose counters of this month do not agree is
/// told; tells what comes next, if there may be more.
pub(super) async fn look(
    meter: &Meter,
    after: Option<&OrgId>,
    report: &mut UsageReconciliation,
) -> Result<Option<ReconcileStep>, Error> {
    let ids = meter.store.list_organization_ids(&CALLER, after).await?;
    let Some(last) = ids.last().cloned() else {
        return Ok(None);
    };
    let found = ids.into_iter().map(|org_id| async {
        let drift = retry(Policy::REMOTE_CALL, || drift(meter, &org_id)).await;
        (org_id, drift)
    });
    let found: Vec<_> = stream::iter(found).buffered(AT_ONCE).collect().await;
    // One organization that fails again and again must not hold the others back.
    let is_down = found.iter().all(|(_, drift)| drift.is_err());
    for (org_id, drift) in found {
        match drift {
            Ok(None) => {}
            Ok(Some(drift)) => {
                tell(&drift);
                report.drifting += 1;
                keep(&mut report.drifts, drift);
            }
            Err(error) if is_down && error.is_transient() => return Err(error),
            Err(error) => {
                let cause = cause_of(&error);
                let failure = UsageFailure {
                    org_id: Some(org_id),
                    customer_id: None,
                    cause,
                };
                fail(report, failure);
            }
        }
    }
    Ok(Some(ReconcileStep::Counters { after: Some(last) }))
}

/// The chain of it: the database tells there which document cannot be read.
fn cause_of(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn tell(drift: &UsageDrift) {
    tracing::error!(
        org.id = %drift.org_id,
        period = drift.period,
        ledger = drift.ledger,
        quota = drift.quota,
        "the counters of an organization do not agree"
    );
}

/// Between two looks at the quota the ledger has what was used at the first, and no more than what
/// was used or admitted at the second.
async fn drift(meter: &Meter, org_id: &OrgId) -> Result<Option<UsageDrift>, Error> {
    let (store, period) = (&meter.store, period_of(meter.now()));
    for _ in 0..LOOKS {
        let Some(first) = quota(store, org_id, &period).await? else {
            return Ok(None);
        };
        let Some(ledger) = ledger(store, org_id, &period).await? else {
            continue;
        };
        let organization = store.find_organization(org_id).await?;
        let Some(second) = quota(store, org_id, &period).await? else {
            return Ok(None);
        };
        let api_usage = organization.map_or(0, |organization| organization.value.api_usage);
        let held = held(&second).tokens;
        let used = first.used..=second.used;
        // The month's first call is yet to come, and the counter is the last month's.
        let is_shown = used.contains(&api_usage) || second.used == 0;
        let is_kept = (first.used..=second.used + held).contains(&ledger);
        return Ok((!is_shown || !is_kept).then_some(UsageDrift {
            org_id: org_id.clone(),
            period,
            ledger,
            quota: second.used,
            held,
            api_usage,
        }));
    }
    Err(Error::Moving)
}

async fn quota(store: &Store, org_id: &OrgId, period: &str) -> Result<Option<TokenQuota>, Error> {
    let found = store.find_token_quota(org_id).await?;
    let quota = found.map(|found| found.value);
    Ok(quota.filter(|quota| quota.period == period))
}

/// The month's settled entries: what is summed up, and what is not yet; none when something was
/// summed up meanwhile.
async fn ledger(store: &Store, org_id: &OrgId, period: &str) -> Result<Option<i64>, Error> {
    let sums = sum_months(store, org_id, [period]).await;
    let sums = sums.map_err(|error| match error {
        ledger::Error::Behind => Error::Behind,
        ledger::Error::Store(error) => Error::Store(error),
    });
    Ok(sums?.map(|[sum]| sum.counted + sum.own_key))
}
