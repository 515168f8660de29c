//! Faults that the checks have to notice, each in a copy of its own.

use anyhow::{Result, ensure};

use super::{scan, workbench::Workbench};
use crate::command::report;

/// A fault, and what is said of it.
struct Fault {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    told: &'static str,
}

const FAULTS: [Fault; 7] = [
    Fault {
        name: "a misspelt argument",
        file: "terraform/modules/function/trigger.tf",
        from: "event_data_content_type",
        to: "event_data_contenttype",
        told: "An argument named \"event_data_contenttype\" is not expected here",
    },
    Fault {
        name: "a resource that is not there",
        file: "terraform/modules/platform/topics.tf",
        from: "google_pubsub_topic.sync.id",
        to: "google_pubsub_topic.synch.id",
        told: "Reference to undeclared resource",
    },
    Fault {
        name: "a value outside of its enumeration",
        file: "terraform/modules/data/database.tf",
        from: "POINT_IN_TIME_RECOVERY_ENABLED",
        to: "POINT_IN_TIME_RECOVERY_ON",
        told: "POINT_IN_TIME_RECOVERY_ON",
    },
    Fault {
        name: "an account's name that is too short",
        file: "terraform/modules/delivery/iam.tf",
        from: "\"builder\"",
        to: "\"build\"",
        told: "account_id",
    },
    Fault {
        name: "a bucket that anyone reads",
        file: "terraform/modules/platform/jobs.tf",
        from: "member = module.audit_verify.member",
        to: "member = \"allUsers\"",
        told: "CKV_GCP_28",
    },
    Fault {
        name: "a function of Google's callers that anyone calls",
        file: "terraform/modules/platform/execute_workflow.tf",
        from: "concurrency ",
        to: "is_public = true\n  concurrency ",
        told: "CKV2_INFINITYX_1",
    },
    Fault {
        name: "Redis without a password",
        file: "terraform/modules/network/redis.tf",
        from: "auth_enabled            = true",
        to: "auth_enabled            = false",
        told: "CKV_GCP_95",
    },
];

/// Plants each fault and sees it told.
pub(super) fn run() -> Result<()> {
    for fault in &FAULTS {
        let workbench = Workbench::new()?;
        workbench.replace(fault.file, fault.from, fault.to)?;
        let told = check(&workbench)?;
        ensure!(
            told.contains(fault.told),
            "{} was planted and is not told, but: {told}",
            fault.name
        );
        report(&format!("{} is noticed", fault.name));
    }
    Ok(())
}

/// What the checks say, nothing if all is well.
fn check(workbench: &Workbench) -> Result<String> {
    let planned = workbench.plan("production")?;
    let Some(plan) = planned.made else {
        return Ok(planned.output);
    };
    let scanned = scan::run(workbench, &plan)?;
    Ok(match scanned.made {
        Some(()) => String::new(),
        None => scanned.output,
    })
}
