use crate::{mentions::mentions, source::Source};

/// What the modules of `shared` may import of each other: `house-style.md` section 3.
const FLOORS: &[(&str, &str)] = &[
    ("ids", ""),
    ("clock", ""),
    ("config", ""),
    // The page gives it nothing; but its variables are read as all are, through `config`, and Google's
    // collector asks who sends spans.
    ("telemetry", "config service_identity"),
    ("retry", "clock"),
    // Not on the page: long work hands over before its process ends.
    ("shutdown", ""),
    // Not on the page: what looks like a secret is covered, in logs and in what models learn from.
    ("redaction", ""),
    ("models", "ids"),
    // Not on the page: what an agent is told is what its examples begin with, too.
    ("prompt", "models actions"),
    ("inputs", ""),
    ("graph", "ids models inputs actions"),
    // Not on the page: the API checks what the sync asks of mails.
    ("arrivals", "inputs"),
    ("store", "ids models clock config retry telemetry"),
    (
        "llm",
        "ids models clock config retry service_identity telemetry",
    ),
    ("crypto", "clock config retry"),
    ("storage", "config retry"),
    // Not on the page: two ports call Google by plain HTTP.
    ("service_identity", ""),
    ("identity", "ids clock config retry service_identity"),
    (
        "queue",
        "ids clock config retry models service_identity telemetry",
    ),
    // Not on the page: what can be done with connected services, as data, and the adapters that do
    // it, Google's among them.
    ("actions", "models"),
    ("connectors", "ids clock config models retry actions"),
    // Not on the page: where work is fanned out.
    ("topic", "ids config retry telemetry"),
    ("stripe", "ids clock config retry"),
    ("email", "ids clock config retry"),
    ("vector", "ids clock config retry"),
    ("egress", "clock config graph retry"),
    ("rate_limit", "clock config"),
    ("auth", "0-1 store"),
    // Not on the page: the chain needs a key, its anchors a bucket.
    ("audit", "0-1 store crypto storage"),
    // Not on the page: keys of model providers are connected like any service.
    ("vault", "0-1 store crypto connectors actions outbox llm"),
    // Not on the page: who belongs where, and how one gets there.
    ("members", "0-1 store"),
    ("invitation", "0-1 store crypto audit members"),
    // Not on the page: the data set that the API shows and the sweeper hands to a provider.
    ("training", "0-1 store prompt redaction"),
    // Not on the page: what the engine and the API both do when a run ends.
    ("runs", "0-1 store"),
    ("outbox", "0-1 store email invitation"),
    ("provision", "0-1 store audit outbox members invitation"),
    ("erasure", "0-1 store audit identity outbox vault"),
    // Not on the page: an alert is a row of the outbox.
    ("quota", "0-1 store email llm outbox"),
    // Not on the page: what the API, workflows and agents find is found in one way.
    ("knowledge", "0-1 store llm quota"),
    ("events", "ids models"),
    ("http", "*"),
    ("testing", "*"),
];

/// What `0-1` stands for.
const FLOORS_0_AND_1: &[&str] = &["ids", "clock", "config", "telemetry", "retry", "models"];

/// What the logic of a function may not import of `shared`: the edge.
const EDGE: [&str; 2] = ["http", "events"];

/// A vendor's client appears in one file. The second column begins the paths that may name it.
const VENDORS: &[(&str, &[&str])] = &[
    (
        "firestore",
        &["shared/src/store/codec.rs", "shared/src/store/firestore.rs"],
    ),
    (
        "gcloud_sdk",
        &[
            "shared/src/events/firestore.rs",
            "shared/src/store/codec.rs",
            "shared/src/store/document_db.rs",
            "shared/src/store/firestore.rs",
            "shared/src/store/firestore/request.rs",
            "shared/src/store/firestore/snapshot.rs",
        ],
    ),
    (
        "reqwest",
        &[
            "functions/deploy-agent/src/orchestrator/cloud_run.rs",
            "functions/drill/src/google.rs",
            "shared/src/auth/google_keys.rs",
            "shared/src/auth/verifier.rs",
            "shared/src/connectors/",
            "shared/src/egress",
            "shared/src/email/sendgrid.rs",
            "shared/src/http/client.rs",
            "shared/src/identity/toolkit.rs",
            "shared/src/llm/providers/",
            "shared/src/queue/cloud_tasks.rs",
            "shared/src/stripe/client/transport.rs",
            "shared/src/telemetry/collector.rs",
            "shared/src/vault/config.rs",
        ],
    ),
    ("google_cloud_kms_v1", &["shared/src/crypto/cloud_kms.rs"]),
    ("google_cloud_pubsub", &["shared/src/topic/pub_sub.rs"]),
    (
        "google_cloud_storage",
        &["shared/src/storage/cloud_storage.rs"],
    ),
    ("opentelemetry", &["shared/src/telemetry"]),
    ("opentelemetry_http", &["shared/src/telemetry/"]),
    ("opentelemetry_otlp", &["shared/src/telemetry.rs"]),
    ("opentelemetry_sdk", &["shared/src/telemetry"]),
    (
        "redis",
        &[
            "shared/src/quota/admissions/redis.rs",
            "shared/src/rate_limit/redis.rs",
        ],
    ),
    ("stripe_billing", &["shared/src/stripe/client.rs"]),
    ("stripe_client_core", &["shared/src/stripe/client"]),
    ("tracing_opentelemetry", &["shared/src/telemetry"]),
];

/// The modules of `shared` that may call a model: who admits the calls, who makes them, and fakes.
const CALLERS: [&str; 3] = ["llm", "quota", "testing"];

/// What all others may name of `shared::llm`: questions, answers and prices, but nobody to ask.
const LLM_DATA: [&str; 36] = [
    "ChatRequest",
    "ChatResponse",
    "Delta",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "Error",
    "FinishReason",
    "Image",
    "ImageDetail",
    "ImageSource",
    "KeyError",
    "Message",
    "OrgKeys",
    "OutputFormat",
    "Part",
    "Pieces",
    "ProviderName",
    "ProvidersConfig",
    "Role",
    "SharedOrgKeys",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "Usage",
    "default_model",
    "price",
    // A tuning is admitted when it is asked for (`quota::reserve_training`); a tuner answers nothing.
    "JobState",
    "SharedTuner",
    "TuningJob",
    "TuningOrder",
    // Whoever starts a service hands them on unopened.
    "providers::Speakers",
    "router",
    "speech::Audio",
    "speech::SpeechRequest",
    "speech::Unspeakable",
    "speech::Voice",
];

/// The crates of the workspace that no code of the product may import.
const TOOLS: [&str; 2] = ["emulator_tests", "xtask"];

/// The folders of `functions`.
pub(crate) const FUNCTIONS: [&str; 10] = [
    "api",
    "audit",
    "deploy_agent",
    "drill",
    "execute_workflow",
    "handle_stripe_webhook",
    "on_user_create",
    "rewrap",
    "stripe_setup",
    "sync_google_workspace",
];

/// Whether a module of `shared` is in the table.
pub(crate) fn has(module: &str) -> bool {
    FLOORS.iter().any(|(name, _)| *name == module)
}

/// What a file imports against the floor plan.
pub(crate) fn check(source: &Source) -> Vec<String> {
    let checks = [
        foreign_crate,
        lower_floor,
        logic_without_http,
        vendor,
        unmetered_call,
        test_support,
    ];
    let mentions = mentions(source);
    let mut problems = Vec::new();
    for path in &mentions {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let found = checks.iter().find_map(|check| check(source, &path));
        problems.extend(found.map(|problem| format!("{problem}: `{}`", path.join("::"))));
    }
    problems
}

fn foreign_crate(source: &Source, path: &[&str]) -> Option<String> {
    let first = *path.first()?;
    let is_foreign = TOOLS.contains(&first) || FUNCTIONS.contains(&first);
    (is_foreign && first != source.krate)
        .then(|| format!("`{}` imports another crate of the workspace", source.krate))
}

fn lower_floor(source: &Source, path: &[&str]) -> Option<String> {
    let module = source.shared_module()?;
    let ["shared", target, ..] = path else {
        let is_root = path == ["shared"];
        return is_root.then(|| "the crate as a whole is on every floor".to_owned());
    };
    let (_, allowed) = FLOORS.iter().find(|(name, _)| *name == module)?;
    let is_allowed = *target == module
        || allowed.split_whitespace().any(|name| {
            name == "*" || name == *target || (name == "0-1" && FLOORS_0_AND_1.contains(target))
        });
    (!is_allowed).then(|| format!("`{module}` may not import `{target}`"))
}

fn logic_without_http(source: &Source, path: &[&str]) -> Option<String> {
    if source.is_shared() || is_edge(source.file()) {
        return None;
    }
    match path {
        ["shared"] => Some("the crate as a whole holds HTTP".to_owned()),
        ["axum", ..] => Some("logic has no HTTP".to_owned()),
        ["shared", module, ..] if EDGE.contains(module) => {
            Some(format!("logic may not import `shared::{module}`"))
        }
        _ => None,
    }
}

/// The files of a function that may know HTTP.
fn is_edge(file: &str) -> bool {
    let (first, is_directory) = match file.split_once('/') {
        Some((first, _)) => (first, true),
        None => (file.trim_end_matches(".rs"), false),
    };
    match first {
        "lib" | "main" | "config" => !is_directory,
        "handler" | "routes" => true,
        _ => false,
    }
}

fn vendor(source: &Source, path: &[&str]) -> Option<String> {
    let first = path.first()?;
    let (name, places) = VENDORS.iter().find(|(name, _)| name == first)?;
    let is_allowed = places.iter().any(|place| source.path.starts_with(place));
    (!is_allowed).then(|| format!("the client `{name}` belongs elsewhere"))
}

fn unmetered_call(source: &Source, path: &[&str]) -> Option<String> {
    let module = source.shared_module();
    if module.is_some_and(|module| CALLERS.contains(&module)) {
        return None;
    }
    match path {
        ["shared", "llm"] => Some("`llm` as a whole has providers to call".to_owned()),
        ["shared", "llm", name @ ..] => {
            let is_data = LLM_DATA.iter().any(|data| {
                let data: Vec<&str> = data.split("::").collect();
                name.starts_with(&data)
            });
            let name = name.join("::");
            (!is_data).then(|| format!("`{name}` of `llm` is called without admission"))
        }
        _ => None,
    }
}

fn test_support(source: &Source, path: &[&str]) -> Option<String> {
    let is_named = path.starts_with(&["shared", "testing"]);
    let is_elsewhere = source.shared_module() != Some("testing") && source.file() != "lib.rs";
    let is_function = !source.is_shared();
    (is_named && (is_function || is_elsewhere)).then(|| "fakes are for tests".to_owned())
}
