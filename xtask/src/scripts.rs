//! The pipeline's scripts, with stand-ins of the programs that they run.

mod steps;

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::command::root;

/// A service whose new revision has no traffic yet.
const SERVICE: &str = r#"{"status":{"latestReadyRevisionName":"new","latestCreatedRevisionName":"new",
    "traffic":[{"revisionName":"old","percent":100}]}}"#;

/// What Terraform printed.
const OUTPUTS: &str = r#"{"functions":{"value":["api"]},
    "dead_letters":{"value":{"eventarc-1":{"topic":"projects/p/topics/api-dead","max_deliveries":10}}}}"#;

/// The same of what was deployed last.
const DEPLOYED: &str = r#"{"commit":"0123","images":{"api":"registry/api@sha256:0"}}"#;

/// Answers as a deployment does on which all is well.
const HEALTHY_CURL: &str = r#"case "$*" in
    *prometheus*) echo '{"data":{"result":[]}}' ;;
    *http://*) printf 301 ;;
    *webhooks/stripe*) printf 400 ;;
    *sweep*) printf 404 ;;
    *) printf 401 ;;
esac"#;

/// A folder with stand-ins, which note how they were called.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new(gcloud: &str, curl: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("api.json"), SERVICE).unwrap();
        fs::write(folder.path().join("outputs.json"), OUTPUTS).unwrap();
        let stage = Self { folder };
        for (name, answer) in [("gcloud", gcloud), ("curl", curl), ("sleep", "")] {
            stage.stand_in(name, answer);
        }
        stage
    }

    /// A program that answers so, and notes how it was called.
    fn stand_in(&self, name: &str, answer: &str) {
        let note = format!("echo \"{name} $*\" >> '{}'", self.path("calls").display());
        let program = self.path(name);
        fs::write(&program, format!("#!/bin/bash\n{note}\n{answer}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The platform with services, each as it stands in the file of its name.
    fn with_service(curl: &str) -> Self {
        let gcloud = r#"case "$*" in
            *"$(cat "$(dirname "$0")/refused")"*) exit 1 ;;
            *describe*) cat "$(dirname "$0")/$4.json" ;;
            *) echo token ;;
        esac"#;
        let stage = Self::new(gcloud, curl);
        stage.refuse("nothing");
        stage
    }

    /// Has calls of the platform fail that have this in them.
    fn refuse(&self, call: &str) {
        fs::write(self.path("refused"), call).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        self.run_with(script, arguments, &[])
    }

    fn run_with(&self, script: &str, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        self.command(root().join("scripts").join(script), env)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// A program that finds the stand-ins.
    fn command(&self, program: impl AsRef<OsStr>, env: &[(&str, &str)]) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new("bash");
        command
            .args(["-c", r#"PATH="$0:$PATH" exec "$@""#])
            .arg(folder)
            .arg(program)
            .current_dir(folder)
            .envs(env.iter().copied())
            .env("BACKUP_BUCKET", "backups")
            .env("FIRESTORE_DATABASE", "(default)")
            .env("GOOGLE_CLOUD_PROJECT", "p");
        command
    }

    fn roll_out(&self) -> Output {
        self.run("rollout.sh", &["outputs.json", "p", "l", "api.example.com"])
    }

    /// Where traffic was led to, in order.
    fn traffic(&self) -> Vec<String> {
        let calls = read(&self.path("calls"));
        let led = calls.lines().filter_map(|call| {
            let (_, to) = call.split_once("--to-revisions=")?;
            to.split_whitespace().next().map(str::to_owned)
        });
        led.collect()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_canary_that_is_well_gets_all_traffic() {
    let stage = Stage::with_service(HEALTHY_CURL);
    let output = stage.roll_out();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(stage.traffic(), ["new=10,old=90", "new=100"]);
}

#[test]
fn a_canary_that_fails_gives_its_traffic_back() {
    let failing = HEALTHY_CURL.replace(r#""result":[]"#, r#""result":[{"value":[0,"0.5"]}]"#);
    let stage = Stage::with_service(&failing);
    let output = stage.roll_out();
    assert!(!output.status.success());
    assert!(told(&output).contains("the canary of api fails"));
    assert_eq!(stage.traffic(), ["new=10,old=90", "old=100"]);
}

#[test]
fn a_canary_of_which_nobody_knows_gives_its_traffic_back() {
    let mute = HEALTHY_CURL.replace(r#"echo '{"data":{"result":[]}}'"#, "exit 22");
    let stage = Stage::with_service(&mute);
    assert!(!stage.roll_out().status.success());
    assert_eq!(stage.traffic(), ["new=10,old=90", "old=100"]);
}

#[test]
fn a_smoke_test_that_fails_leads_traffic_back() {
    let open = HEALTHY_CURL.replace("printf 401", "printf 200");
    let stage = Stage::with_service(&open);
    let output = stage.roll_out();
    assert!(told(&output).contains("answered 200 instead of 401"));
    assert_eq!(stage.traffic(), ["new=10,old=90", "old=100"]);
}

#[test]
fn a_roll_out_that_was_cut_off_begins_again_with_the_canary() {
    let stage = Stage::with_service(HEALTHY_CURL);
    let half = SERVICE.replace(
        r#"{"revisionName":"old","percent":100}"#,
        r#"{"revisionName":"new","percent":10},{"revisionName":"old","percent":90}"#,
    );
    fs::write(stage.path("api.json"), half).unwrap();
    assert!(stage.roll_out().status.success());
    assert_eq!(stage.traffic(), ["new=10,old=90", "new=100"]);
}

#[test]
fn a_revision_that_does_not_start_gets_no_traffic() {
    let stage = Stage::with_service(HEALTHY_CURL);
    let broken = SERVICE.replace(
        r#"RevisionName":"new","latest"#,
        r#"RevisionName":"old","latest"#,
    );
    assert_ne!(broken, SERVICE);
    fs::write(stage.path("api.json"), broken).unwrap();
    assert!(!stage.roll_out().status.success());
    assert_eq!(stage.traffic(), ["old=100"]);
}

#[test]
fn the_first_revision_is_held_to_its_traffic() {
    let stage = Stage::with_service(HEALTHY_CURL);
    fs::write(stage.path("api.json"), SERVICE.replace("old", "new")).unwrap();
    assert!(stage.roll_out().status.success());
    assert_eq!(stage.traffic(), ["new=100"]);
}

#[test]
fn a_first_roll_out_that_stops_leaves_every_service_held() {
    let first = SERVICE.replace("old", "new");
    let never_started = r#"{"status":{"latestCreatedRevisionName":"new"}}"#;
    for (api, refused) in [
        (never_started, "nothing"),
        ("", "describe api"),
        (first.as_str(), "update-traffic api"),
    ] {
        let stage = Stage::with_service(HEALTHY_CURL);
        fs::write(stage.path("api.json"), api).unwrap();
        fs::write(stage.path("other.json"), &first).unwrap();
        let outputs = OUTPUTS.replace(r#"["api"]"#, r#"["api","other"]"#);
        fs::write(stage.path("outputs.json"), outputs).unwrap();
        stage.refuse(refused);
        let output = stage.roll_out();
        assert!(!output.status.success(), "{refused}");
        assert!(told(&output).ends_with(": api\n"), "{}", told(&output));
        let calls = read(&stage.path("calls"));
        let held = "services update-traffic other --to-revisions=new=100 ";
        assert!(calls.contains(held), "{refused}: {calls}");
    }
}

#[test]
fn triggers_get_their_dead_letters() {
    let stage = Stage::new("", "");
    let output = stage.run("dead-letters.sh", &["outputs.json"]);
    assert!(output.status.success(), "{}", told(&output));
    let wanted = "gcloud pubsub subscriptions update eventarc-1 --ack-deadline=600 \
                  --dead-letter-topic=projects/p/topics/api-dead --max-delivery-attempts=10 --quiet\n";
    assert_eq!(read(&stage.path("calls")), wanted);
}

#[test]
fn the_newest_object_is_fresh_until_its_limit() {
    let env = [
        ("OBJECTS", "gs://bucket/**"),
        ("LIMIT_HOURS", "26"),
        ("FRESH_MESSAGE", "backup is fresh"),
    ];
    for (made, is_fresh) in [
        ("date -u -d '25 hours ago' +%Y-%m-%dT%H:%M:%SZ", true),
        ("date -u -d '27 hours ago' +%Y-%m-%dT%H:%M:%SZ", false),
        ("true", false),
    ] {
        let stage = Stage::new(made, "");
        let output = stage.run_with("newest-age.sh", &[], &env);
        assert_eq!(output.status.success(), is_fresh, "{}", told(&output));
        assert_eq!(told(&output).contains("\"backup is fresh\""), is_fresh);
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let severity = if is_fresh { "INFO" } else { "ERROR" };
        assert_eq!(line["severity"], severity);
        let calls = read(&stage.path("calls"));
        assert!(calls.contains("objects list gs://bucket/** "), "{calls}");
    }
}

#[test]
fn an_export_is_named_by_its_moment() {
    let stage = Stage::new("", "");
    let output = stage.run("backup-export.sh", &[]);
    assert!(output.status.success(), "{}", told(&output));
    let calls = read(&stage.path("calls"));
    let moment = calls.split_once("--snapshot-time=").unwrap().1;
    let moment = moment.split_whitespace().next().unwrap();
    let (day, time) = moment.split_once('T').unwrap();
    let name = format!("gs://backups/{day}T{}", time.replace(':', ""));
    assert!(calls.contains(&name), "{calls}");
    assert!(time.ends_with(":00Z"), "{calls}");
}

#[test]
fn a_drift_is_told_from_what_is_as_deployed_and_from_what_nobody_knows() {
    for (plan, init, code, line) in [
        (0, 0, 0, "nothing drifted"),
        (2, 0, 2, "drift found"),
        (1, 0, 1, "drift unknown"),
        (0, 1, 1, "drift unknown"),
    ] {
        let stage = Stage::new("", "");
        let answer = format!(
            r#"case "$1" in
            init) exit {init} ;;
            output) echo '{DEPLOYED}' ;;
            plan) exit {plan} ;;
            esac"#
        );
        stage.stand_in("terraform", &answer);
        let output = stage.run("drift.sh", &[]);
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert_eq!(told(&output), format!("{line}\n"));
        let calls = read(&stage.path("calls"));
        assert_eq!(
            calls.contains("plan -detailed-exitcode"),
            init == 0,
            "{calls}"
        );
        let deployed = read(&stage.path("images.auto.tfvars.json"));
        assert_eq!(deployed.trim(), if init == 0 { DEPLOYED } else { "" });
    }
}
