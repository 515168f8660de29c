use super::*;

pub(crate) fn meter_row() -> MeterRow {
    MeterRow {
        id: record_id(),
        org_id: org_id(),
        customer_id: "cus_1".to_owned(),
        tokens: 7,
        at: time(),
        minute: time().whole_seconds(),
        day: "2026-11-23".to_owned(),
        state: MeterRowState::Sending,
        attempts: 2,
        first_attempt_at: Some(time()),
        last_attempt_at: Some(time()),
        due_at: Some(time()),
        sent_at: Some(time()),
        last_error: Some("unavailable".to_owned()),
    }
}

pub(crate) fn metered_month() -> MeteredMonth {
    MeteredMonth {
        period: "2026-11".to_owned(),
        included_tokens: 1,
        counted: 2,
        billed: 3,
        unbilled: 4,
        own_key: 5,
        entries: 6,
        plans: vec![MeteredPlan {
            since: Some(time()),
            counted: 2,
            billed: 3,
        }],
    }
}

pub(crate) fn usage_reconciliation() -> UsageReconciliation {
    UsageReconciliation {
        day: "2026-11-23".to_owned(),
        customers: 3,
        differing: 1,
        differences: vec![UsageDifference {
            org_id: org_id(),
            customer_id: "cus_1".to_owned(),
            sent: 1,
            uncertain: 2,
            stripe: 9,
        }],
        failed: 1,
        failures: vec![UsageFailure {
            org_id: Some(org_id()),
            customer_id: Some("cus_2".to_owned()),
            cause: "stripe refused the request with status 404".to_owned(),
        }],
        drifting: 1,
        drifts: vec![UsageDrift {
            org_id: org_id(),
            period: "2026-11".to_owned(),
            ledger: 1,
            quota: 2,
            held: 3,
            api_usage: 4,
        }],
        checked_at: Some(time()),
    }
}

pub(crate) fn usage_reconcile() -> UsageReconcile {
    UsageReconcile {
        run_id: record_id(),
        pages: 2,
        step: ReconcileStep::Rows {
            after: Some(MeterRowPosition {
                customer_id: "cus_1".to_owned(),
                id: "r1".to_owned(),
            }),
            open: Some(CustomerDay {
                customer_id: "cus_1".to_owned(),
                org_id: Some(org_id()),
                sent: 1,
                uncertain: 2,
                unreadable: 3,
            }),
        },
        report: usage_reconciliation(),
        days_left: vec!["2026-11-22".to_owned()],
        started_at: time(),
        updated_at: time(),
        finished_at: Some(time()),
    }
}
