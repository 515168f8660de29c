mod csv;
mod svg;

use std::fmt;

use futures::future::try_join_all;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::{
    auth::{Action, is_allowed},
    ids::OrgId,
    models::{Principal, SubscriptionTier, Timestamp},
    quota::{
        Plan, percent_of_limit,
        usage::{GroupBy, Summary, Sums},
    },
    store::Store,
};

use crate::{
    error::{Error, Problem, Refusal},
    month_use::MonthUse,
    organization,
};

/// Longest range of days.
const MAX_DAYS: i32 = 366;

/// Calls that one report sums up at most: what is read within the time of a request.
const MAX_CALLS: u32 = 250_000;

/// Parts of a range that are read at once.
const AT_ONCE: i32 = 8;

/// UTC days, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayRange {
    from: Date,
    to: Date,
}

/// Usage of an organization, beside what its plan gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageReport {
    from: String,
    to: String,
    #[serde(flatten)]
    summary: Summary,
    plan: PlanTokens,
    /// The current UTC month, `YYYY-MM`, whatever days were asked for.
    period: String,
    period_tokens: i64,
    /// What of them was used with the organization's own keys: it is in no price.
    own_key_tokens: i64,
    /// What of the others is above the included tokens, where the plan charges it.
    overage_tokens: i64,
    /// What of that is billed so far, within minutes of its use.
    billed_tokens: i64,
    percent_of_limit: f64,
}

/// What a plan gives in a month: the tokens in its price, and the hard cap.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanTokens {
    subscription_tier: SubscriptionTier,
    included_tokens: i64,
    monthly_tokens: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_cost_micro_usd: Option<i64>,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Input and output tokens.
    #[default]
    Tokens,
    /// What they cost.
    Cost,
}

/// On what it is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Theme {
    /// On white.
    #[default]
    Light,
    /// On black.
    Dark,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plot {
    pub(crate) measure: Measure,
    pub(crate) theme: Theme,
}

/// As in the name of a file.
impl fmt::Display for DayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-to-{}", self.from, self.to)
    }
}

impl DayRange {
    /// The days that a client asks for: by default from the first of the month to today.
    pub(crate) fn parse(
        from: Option<&str>,
        to: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let today = now.instant().to_zoned(TimeZone::UTC).date();
        let to = to.map_or(Ok(today), |text| parse_day("to", text))?;
        let from = from.map_or(Ok(to.first_of_month()), |text| parse_day("from", text))?;
        let days = from.until(to).map_or(i32::MAX, |span| span.get_days());
        if !(0..MAX_DAYS).contains(&days) {
            let message = format!("must not be before `from`, and at most {MAX_DAYS} days in all");
            return Err(Error::Invalid(vec![Problem::new("to", message)]));
        }
        Ok(Self { from, to })
    }

    /// The same days in ranges of the same length, as many of them as are read at once.
    fn parts(self) -> impl Iterator<Item = Self> {
        let days = 1 + self.from.until(self.to).map_or(0, |span| span.get_days());
        let length = (days + AT_ONCE - 1) / AT_ONCE;
        let starts = (0..days).step_by(usize::try_from(length).unwrap_or(1));
        starts.map(move |start| {
            let from = self.from.saturating_add(start.days());
            let to = from.saturating_add((length - 1).days());
            let to = to.min(self.to);
            Self { from, to }
        })
    }
}

/// What the caller's organization has used. Who of the members has is told to those who may see
/// them.
pub(crate) async fn gather(
    store: &Store,
    principal: &Principal,
    range: DayRange,
    group_by: GroupBy,
) -> Result<Sums, Error> {
    if group_by == GroupBy::User && !is_allowed(principal.role, Action::ReadMembers) {
        return Err(Refusal::Denied("only admins see who of the members has used what").into());
    }
    sum_up(store, &principal.org_id, range, group_by, MAX_CALLS).await
}

/// The ledger is read page by page, several parts of the range at once.
async fn sum_up(
    store: &Store,
    org_id: &OrgId,
    range: DayRange,
    group_by: GroupBy,
    most: u32,
) -> Result<Sums, Error> {
    let (from, to) = (range.from.to_string(), range.to.to_string());
    let days = (from.as_str(), to.as_str());
    let calls = store.count_usage_entries(org_id, days, most.saturating_add(1));
    if calls.await? > most {
        let message = format!("has more than {most} calls in these days: ask for fewer days");
        return Err(Error::Invalid(vec![Problem::new("to", message)]));
    }
    let parts = range.parts().map(|part| async move {
        let (from, to) = (part.from.to_string(), part.to.to_string());
        let mut sums = Sums::new(group_by);
        let read = store.each_usage_entry(org_id, &from, &to, |entry| sums.add(&entry));
        read.await.map(|()| sums)
    });
    let mut sums = Sums::new(group_by);
    for part in try_join_all(parts).await? {
        sums.merge(part);
    }
    Ok(sums)
}

/// The same as it is told, beside what the plan gives.
pub(crate) async fn report(
    store: &Store,
    principal: &Principal,
    range: DayRange,
    sums: &Sums,
    now: Timestamp,
) -> Result<UsageReport, Error> {
    let organization = organization::find(store, &principal.org_id).await?;
    let plan = Plan::for_organization(&organization);
    let month = MonthUse::find(store, &organization, now).await?;
    Ok(UsageReport {
        from: range.from.to_string(),
        to: range.to.to_string(),
        summary: sums.summarize(),
        percent_of_limit: percent_of_limit(month.tokens, plan.monthly_tokens),
        plan: PlanTokens {
            subscription_tier: organization.subscription_tier,
            included_tokens: plan.included_tokens,
            monthly_tokens: plan.monthly_tokens,
            monthly_cost_micro_usd: plan.monthly_cost_micro_usd,
        },
        period: month.period,
        period_tokens: month.tokens,
        own_key_tokens: month.own_key,
        overage_tokens: month.overage,
        billed_tokens: month.billed,
    })
}

/// The sums as a table for spreadsheets.
pub(crate) fn to_csv(sums: &Sums, group_by: GroupBy) -> Result<Vec<u8>, Error> {
    csv::write(sums, group_by).map_err(Error::Form)
}

/// The sums as a plot.
pub(crate) fn to_svg(sums: &Sums, range: DayRange, group_by: GroupBy, plot: Plot) -> String {
    svg::draw(sums, range, group_by, plot)
}

/// Years of four digits, two-digit month and day; other forms of ISO 8601 are refused, so that
/// days compare as text.
fn parse_day(field: &'static str, text: &str) -> Result<Date, Error> {
    let day: Option<Date> = text.parse().ok();
    let is_plain = |day: &Date| text.len() == 10 && day.to_string() == text;
    day.filter(is_plain).ok_or_else(|| {
        let problem = Problem::new(field, "must be a day such as `2026-11-23`");
        Error::Invalid(vec![problem])
    })
}

#[cfg(test)]
mod tests;
