use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    ids::{AgentId, OrgId, RecordId, Uid, WorkflowId},
    testing::usage_entry,
};

fn entry(agent: Option<&str>, model: &str, day: &str, state: UsageState) -> UsageEntry {
    let (id, org_id) = (RecordId::generate(), OrgId::derive(&["o"]));
    let epoch = jiff::Timestamp::UNIX_EPOCH.into();
    UsageEntry {
        agent_id: agent.map(|id| AgentId::parse(id).unwrap()),
        model: model.to_owned(),
        state,
        ..usage_entry(id, org_id, day, epoch)
    }
}

fn summarize(entries: &[UsageEntry], group_by: GroupBy) -> Summary {
    let mut sums = Sums::new(group_by);
    entries.iter().for_each(|entry| sums.add(entry));
    sums.summarize()
}

#[test]
fn only_settled_calls_are_usage() {
    let entries = [
        entry(None, "m", "2026-11-01", UsageState::Settled),
        entry(None, "m", "2026-11-01", UsageState::Reserved),
        entry(None, "m", "2026-11-01", UsageState::Released),
    ];
    let summary = summarize(&entries, GroupBy::Model);
    let expected = Totals {
        requests: 1,
        input_tokens: 10,
        output_tokens: 5,
        tokens: 15,
        cost_micro_usd: 3,
    };
    assert_eq!(summary.totals, expected);
}

#[test]
fn groups_are_ordered_and_add_up_to_the_totals() {
    let entries = [
        entry(Some("b"), "m", "2026-11-02", UsageState::Settled),
        entry(Some("a"), "m", "2026-11-01", UsageState::Settled),
        entry(None, "n", "2026-11-01", UsageState::Settled),
        entry(Some("b"), "n", "2026-11-01", UsageState::Settled),
    ];
    let by_agent = summarize(&entries, GroupBy::Agent);
    let keys: Vec<_> = by_agent
        .groups
        .iter()
        .map(|group| group.key.as_deref())
        .collect();
    assert_eq!(keys, [None, Some("a"), Some("b")]);
    for group_by in GroupBy::ALL {
        let summary = summarize(&entries, group_by);
        let tokens: i64 = summary.groups.iter().map(|group| group.totals.tokens).sum();
        assert_eq!(tokens, summary.totals.tokens, "{group_by:?}");
    }
}

fn entries() -> impl Strategy<Value = Vec<UsageEntry>> {
    let name = "[a-c]";
    let states = [
        UsageState::Settled,
        UsageState::Settled,
        UsageState::Reserved,
        UsageState::Released,
    ];
    let of = (option::of(name), option::of(name), option::of(name), name);
    let amounts = (0..1_000_000_i64, 0..1_000_000_i64, 0..1_000_000_i64);
    let one = (of, amounts, 1..29_u8, prop::sample::select(states.to_vec()));
    let one = one.prop_map(|((agent, workflow, user, model), amounts, day, state)| {
        let (input_tokens, output_tokens, cost_micro_usd) = amounts;
        UsageEntry {
            workflow_id: workflow.map(|id| WorkflowId::parse(&id).unwrap()),
            uid: user.map(|uid| Uid::parse(&uid).unwrap()),
            input_tokens,
            output_tokens,
            cost_micro_usd,
            ..entry(
                agent.as_deref(),
                &model,
                &format!("2026-11-{day:02}"),
                state,
            )
        }
    });
    vec(one, 0..60)
}

/// The sums of the entries that a group has, added up by hand.
fn by_hand(entries: &[UsageEntry], is_in: impl Fn(&UsageEntry) -> bool) -> Totals {
    let settled = entries
        .iter()
        .filter(|entry| entry.state == UsageState::Settled && is_in(entry));
    let mut totals = Totals::default();
    for entry in settled {
        totals.requests += 1;
        totals.input_tokens += entry.input_tokens;
        totals.output_tokens += entry.output_tokens;
        totals.tokens += entry.input_tokens + entry.output_tokens;
        totals.cost_micro_usd += entry.cost_micro_usd;
    }
    totals
}

proptest! {
    #[test]
    fn every_grouping_of_a_ledger_is_the_ledger(entries in entries()) {
        for group_by in GroupBy::ALL {
            let mut sums = Sums::new(group_by);
            entries.iter().for_each(|entry| sums.add(entry));
            let summary = sums.summarize();
            prop_assert_eq!(summary.totals, by_hand(&entries, |_| true));
            let mut all = Totals::default();
            for group in &summary.groups {
                let of_group = by_hand(&entries, |entry| key(entry, group_by) == group.key);
                prop_assert_eq!(group.totals, of_group);
                all += group.totals;
            }
            prop_assert_eq!(all, summary.totals);
            for cell in sums.cells() {
                let of_cell = by_hand(&entries, |entry| {
                    key(entry, group_by) == cell.key && entry.day == cell.day
                });
                prop_assert_eq!(cell.totals, of_cell);
            }
        }
    }
}
