mod csv;
mod svg;

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::{
    auth::{Action, is_allowed},
    models::{Principal, SubscriptionTier, Timestamp},
    quota::{
        Plan, percent_of_limit,
        usage::{GroupBy, Summary, Sums},
    },
    store::{Store, organizations::period_of},
};

use crate::{
    error::{Error, Problem, Refusal},
    organization,
};

/// Longest range of days.
const MAX_DAYS: i32 = 366;

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
    /// What is above the included tokens.
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
    let (from, to) = (range.from.to_string(), range.to.to_string());
    let mut sums = Sums::new(group_by);
    store
        .each_usage_entry(&principal.org_id, &from, &to, |entry| sums.add(&entry))
        .await?;
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
    let org_id = &principal.org_id;
    let organization = organization::find(store, org_id).await?;
    let plan = Plan::for_organization(&organization);
    let period = period_of(now);
    let quota = store.find_token_quota(org_id).await?;
    let period_tokens = quota
        .filter(|quota| quota.value.period == period)
        .map_or(0, |quota| quota.value.used);
    let month = store.find_metered_month(org_id, &period).await?;
    let month = month.map(|month| month.value).unwrap_or_default();
    let in_price = period_tokens - month.own_key;
    Ok(UsageReport {
        from: range.from.to_string(),
        to: range.to.to_string(),
        summary: sums.summarize(),
        percent_of_limit: percent_of_limit(period_tokens, plan.monthly_tokens),
        plan: PlanTokens {
            subscription_tier: organization.subscription_tier,
            included_tokens: plan.included_tokens,
            monthly_tokens: plan.monthly_tokens,
            monthly_cost_micro_usd: plan.monthly_cost_micro_usd,
        },
        period,
        period_tokens,
        own_key_tokens: month.own_key,
        overage_tokens: (in_price - plan.included_tokens).max(0),
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
mod tests {
    use super::*;

    fn parse(from: Option<&str>, to: Option<&str>) -> Result<(String, String), Error> {
        let now: jiff::Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
        let range = DayRange::parse(from, to, now.into())?;
        Ok((range.from.to_string(), range.to.to_string()))
    }

    #[test]
    fn the_current_month_is_the_default() {
        let range = parse(None, None).unwrap();
        assert_eq!(range, ("2026-11-01".to_owned(), "2026-11-23".to_owned()));
    }

    #[test]
    fn a_range_may_have_a_leap_year_and_no_day_more() {
        assert!(parse(Some("2024-01-01"), Some("2024-12-31")).is_ok());
        assert!(parse(Some("2024-01-01"), Some("2025-01-01")).is_err());
    }

    #[test]
    fn days_that_are_none_are_refused_with_their_name() {
        for text in [
            "2026-02-30",
            "20261101",
            "2026-11-01T00:00:00",
            "-009999-01-02",
            "yesterday",
            "",
        ] {
            let error = parse(Some(text), None).unwrap_err();
            assert!(
                matches!(&error, Error::Invalid(problems) if problems[0].field == "from"),
                "{text}"
            );
        }
        assert!(parse(Some("2026-11-02"), Some("2026-11-01")).is_err());
    }
}
