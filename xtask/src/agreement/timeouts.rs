//! How long requests may take, by the code and by what delivers them.

use super::{settings::Settings, text};

/// Cloud Run ends a request without a word: the code has to answer before.
#[test]
fn each_function_answers_before_cloud_run_does_it() {
    let own = |function: &str, name: &str| {
        let path = format!("functions/{function}/src/lib.rs");
        constant(&path, &format!("const {name}: Duration ="))
    };
    let others = constant("shared/src/http/layers.rs", "timeout: Duration::");
    let model = constant("shared/src/llm/router/timeouts.rs", "MAX_MS: u64 =") / 1_000;
    let code = [
        ("api", model + own("api", "BOOKING_TIME")),
        ("deploy-agent", others),
        (
            "execute-workflow",
            own("execute-workflow", "REQUEST_TIMEOUT"),
        ),
        (
            "handle-stripe-webhook",
            own("handle-stripe-webhook", "TIMEOUT"),
        ),
        ("on-user-create", others),
        (
            "sync-google-workspace",
            own("sync-google-workspace", "REQUEST_TIMEOUT"),
        ),
    ];
    let services = Settings::read().services();
    let names = services.iter().map(|service| service.name.as_str());
    assert!(names.eq(code.map(|(name, _)| name)));
    for (service, (name, seconds)) in services.iter().zip(code) {
        let limit = service.timeout_seconds;
        assert!(
            seconds < limit,
            "{name}: {seconds} s in the code, {limit} s on Cloud Run"
        );
    }
}

/// What gives up waiting delivers again while the first request is still under way.
#[test]
fn whoever_delivers_waits_for_cloud_runs_answer() {
    let tasks = constant(
        "shared/src/queue/cloud_tasks.rs",
        "DISPATCH_DEADLINE: &str =",
    );
    let triggers = constant("scripts/dead-letters.sh", "--ack-deadline=");
    let variables = "terraform/modules/function/variables.tf";
    let messages = constant(variables, "ack_deadline_seconds = optional(number,");
    let waits = [
        ("queues", tasks),
        ("events", triggers),
        ("subscriptions", messages),
    ];
    for (kind, seconds) in waits {
        let services = Settings::read().services();
        let mut waited_for = services
            .iter()
            .filter(|service| service.has(kind))
            .peekable();
        assert!(waited_for.peek().is_some(), "nothing has {kind}");
        for service in waited_for {
            let (name, limit) = (&service.name, service.timeout_seconds);
            assert!(
                limit <= seconds,
                "{name}: {limit} s on Cloud Run, {kind} wait {seconds} s"
            );
        }
    }
}

/// The first number of a file after this text.
fn constant(path: &str, before: &str) -> u64 {
    let text = text(path);
    let (_, after) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{path}: no {before}"));
    let after = after.trim_start_matches(|character: char| !character.is_ascii_digit());
    let digits = after
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '_');
    let digits: String = digits.filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
