use std::collections::BTreeMap;

use csv::Reader;
use proptest::{collection::vec, option, prelude::*};
use shared::{
    ids::{AgentId, OrgId, RecordId, Uid, WorkflowId},
    models::UsageEntry,
    testing::usage_entry,
};

use super::*;

fn entry(model: &str, day: &str) -> UsageEntry {
    let (id, org_id) = (RecordId::generate(), OrgId::derive(&["o"]));
    let epoch = jiff::Timestamp::UNIX_EPOCH.into();
    UsageEntry {
        model: model.to_owned(),
        ..usage_entry(id, org_id, day, epoch)
    }
}

fn sums(entries: &[UsageEntry], group_by: GroupBy) -> Sums {
    let mut sums = Sums::new(group_by);
    entries.iter().for_each(|entry| sums.add(entry));
    sums
}

fn text(entries: &[UsageEntry], group_by: GroupBy) -> String {
    String::from_utf8(write(&sums(entries, group_by), group_by).unwrap()).unwrap()
}

#[test]
fn rows_end_as_the_rfc_says_and_days_have_one_column() {
    let entries = [entry("m", "2026-11-01"), entry("n", "2026-11-01")];
    assert_eq!(
        text(&entries, GroupBy::Day),
        "\"day\",\"requests\",\"inputTokens\",\"outputTokens\",\"tokens\",\"costMicroUsd\"\r\n\
         \"2026-11-01\",\"2\",\"20\",\"10\",\"30\",\"6\"\r\n"
    );
    assert_eq!(
        text(&entries[..1], GroupBy::User),
        "\"day\",\"user\",\"requests\",\"inputTokens\",\"outputTokens\",\"tokens\",\"costMicroUsd\"\r\n\
         \"2026-11-01\",\"\",\"1\",\"10\",\"5\",\"15\",\"3\"\r\n"
    );
}

#[test]
fn no_name_is_a_formula_or_breaks_its_row() {
    for (name, cell) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("a,b", "a,b"),
        ("a;=1", "a;=1"),
        ("a\t=1", "a\t=1"),
        ("a\"b\nc", "a\"\"b\nc"),
        ("gpt-4.1", "gpt-4.1"),
    ] {
        let text = text(&[entry(name, "2026-11-01")], GroupBy::Model);
        let (_, row) = text.split_once("\r\n").unwrap();
        let numbers = "\"1\",\"10\",\"5\",\"15\",\"3\"";
        assert_eq!(row, format!("\"2026-11-01\",\"{cell}\",{numbers}\r\n"));
    }
}

fn entries() -> impl Strategy<Value = Vec<UsageEntry>> {
    let name = "[a-c]";
    let of = (
        option::of(name),
        option::of(name),
        option::of(name),
        "[ab=,\"\n]{1,3}",
    );
    let amounts = (0..1_000_000_i64, 0..1_000_000_i64, 0..1_000_000_i64);
    let one = (of, amounts, 1..29_u8).prop_map(|((agent, workflow, user, model), amounts, day)| {
        let (input_tokens, output_tokens, cost_micro_usd) = amounts;
        UsageEntry {
            agent_id: agent.map(|id| AgentId::parse(&id).unwrap()),
            workflow_id: workflow.map(|id| WorkflowId::parse(&id).unwrap()),
            uid: user.map(|uid| Uid::parse(&uid).unwrap()),
            input_tokens,
            output_tokens,
            cost_micro_usd,
            ..entry(&model, &format!("2026-11-{day:02}"))
        }
    });
    vec(one, 0..40)
}

proptest! {
    #[test]
    fn a_table_read_back_has_the_numbers_of_the_answer(entries in entries()) {
        for group_by in GroupBy::ALL {
            let sums = sums(&entries, group_by);
            let table = write(&sums, group_by).unwrap();
            let mut reader = Reader::from_reader(table.as_slice());
            let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
            let mut read: BTreeMap<String, [i64; 5]> = BTreeMap::new();
            for record in reader.records() {
                let record = record.unwrap();
                // By day there is no second column, and the day is the group.
                let group = record[names.len() - NUMBERS.len() - 1].to_owned();
                let total = read.entry(group).or_default();
                for (number, sum) in total.iter_mut().enumerate() {
                    *sum += record[names.len() - NUMBERS.len() + number].parse::<i64>().unwrap();
                }
            }
            let summary = sums.summarize();
            let groups = summary.groups.iter().map(|group| {
                let totals = group.totals;
                let numbers = [
                    totals.requests,
                    totals.input_tokens,
                    totals.output_tokens,
                    totals.tokens,
                    totals.cost_micro_usd,
                ];
                (inert(group.key.clone().unwrap_or_default()), numbers)
            });
            prop_assert_eq!(read, groups.collect::<BTreeMap<_, _>>());
        }
    }
}
