//! What functions, their READMEs, Terraform, the pipeline and the runbooks say of each other.

mod logs;
mod readme;
mod settings;
mod timeouts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use self::{readme::Variables, settings::Settings};
use crate::{alerts, command::root, image::START};

/// What needs no setting on Cloud Run.
const UNSET: [(&str, &str); 4] = [
    ("LOG_FORMAT", "logs are JSON there in any case"),
    ("OTEL_SERVICE_NAME", "it is that of the service there"),
    ("PORT", "Cloud Run sets it"),
    ("STRIPE_API_BASE_URL", "where a stand-in of Stripe is"),
];

/// What is set off Cloud Run, and what need not be set then.
const STAND_INS: [(&str, &str); 2] = [
    ("CLOUD_TASKS_EMULATOR_HOST", "STRIPE_EVENTS_SERVICE_ACCOUNT"),
    ("LOCAL_MAC_KEY", "KMS_MAC_KEY"),
];

type Names = BTreeSet<String>;

fn functions() -> Names {
    let entries = fs::read_dir(root().join("functions")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder, joined.
fn texts(folder: &Path, extension: &str) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => texts(&path, extension),
        false if path.extension().is_some_and(|found| found == extension) => text(&path),
        false => String::new(),
    });
    texts.collect()
}

#[test]
fn each_function_is_deployed_and_nothing_else_is() {
    let deployed: Names = Settings::read().functions().into_keys().collect();
    assert_eq!(deployed, functions());
}

#[test]
fn the_pipeline_is_told_of_each_service() {
    let settings = Settings::read();
    let services = settings.services().into_iter().map(|service| service.name);
    assert_eq!(settings.told(), services.collect());
}

#[test]
fn each_variable_of_a_readme_is_set_and_none_is_unknown() {
    let documented: BTreeMap<String, Variables> = functions()
        .into_iter()
        .map(|function| {
            let readme = text(format!("functions/{function}/README.md"));
            (function, Variables::read(&readme))
        })
        .collect();
    let known: Names = documented.values().flat_map(Variables::all).collect();
    for (function, set) in Settings::read().functions() {
        let variables = &documented[&function];
        let exempt = UNSET.map(|(name, _)| name.to_owned());
        let wanted: Names = &variables.needed - &Names::from(exempt);
        let unset = &wanted - &set;
        assert!(unset.is_empty(), "{function} does not get {unset:?}");
        let documented = match variables.is_open {
            true => known.clone(),
            false => variables.needed.clone(),
        };
        let unknown = &set - &documented;
        assert!(unknown.is_empty(), "{function} does not know {unknown:?}");
    }
}

#[test]
fn no_readme_tells_a_variable_twice() {
    for function in functions() {
        let variables = Variables::read(&text(format!("functions/{function}/README.md")));
        let doubled = variables.doubled;
        assert!(doubled.is_empty(), "{function} tells {doubled:?} twice");
    }
}

#[test]
fn the_trial_of_an_image_sets_what_a_function_does_not_start_without() {
    let mut set = Names::from(START.map(|(name, _)| name.to_owned()));
    for (stand_in, name) in STAND_INS {
        assert!(set.contains(stand_in), "{stand_in}");
        set.insert(name.to_owned());
    }
    for service in Settings::read().services() {
        let function = service.name;
        let variables = Variables::read(&text(format!("functions/{function}/README.md")));
        let unset = &variables.required - &set;
        assert!(unset.is_empty(), "{function} does not get {unset:?}");
    }
}

#[test]
fn each_image_is_in_the_pipeline() {
    let pipeline = text("cloudbuild.yaml");
    let images = pipeline.lines().filter_map(|line| {
        let image = line.trim().strip_prefix("- $_REGISTRY/")?;
        image.strip_suffix(":$BUILD_ID").map(str::to_owned)
    });
    assert_eq!(images.collect::<Names>(), functions());
}

#[test]
fn each_alert_has_a_runbook_and_each_runbook_an_alert() {
    let alerts = alerts::read().unwrap();
    let mut alerts: Names = alerts.into_iter().map(|alert| alert.name).collect();
    // Cloud Billing tells of it, without a query.
    alerts.insert("budget".to_owned());
    let runbooks = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let runbooks = runbooks.map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".md").unwrap().to_owned()
    });
    assert_eq!(runbooks.collect::<Names>(), alerts);
}

#[test]
fn the_lines_that_alerts_wait_for_are_in_the_code() {
    let places = [
        ("functions", "rs"),
        ("shared/src", "rs"),
        ("scripts", "sh"),
        (settings::PLATFORM, "tf"),
    ];
    let code: String = places
        .into_iter()
        .map(|(folder, extension)| texts(&root().join(folder), extension))
        .collect();
    let messages = settings::log_messages();
    assert!(messages.len() >= 4, "{messages:?}");
    for message in messages {
        // A literal of Rust, a field of a line that a script prints, the line itself, or what Terraform has a
        // script print.
        let is_there = code.contains(&format!("\"{message}\""));
        assert!(is_there, "nothing logs {message:?}");
    }
}
