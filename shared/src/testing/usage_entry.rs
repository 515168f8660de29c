use crate::{
    ids::{OrgId, RecordId},
    models::{Timestamp, UsageEntry, UsageState},
};

/// A settled call of a model, on a UTC day `YYYY-MM-DD`.
#[must_use]
pub fn usage_entry(id: RecordId, org_id: OrgId, day: &str, created_at: Timestamp) -> UsageEntry {
    UsageEntry {
        id,
        org_id,
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: None,
        model: "gpt-4.1-mini".to_owned(),
        input_tokens: 10,
        output_tokens: 5,
        cost_micro_usd: 3,
        state: UsageState::Settled,
        is_estimated: false,
        raised_to: None,
        is_stream: false,
        hold: None,
        is_own_key: false,
        meter: None,
        period: day[..7].to_owned(),
        day: day.to_owned(),
        created_at,
    }
}
