//! What the pipelines' steps run themselves.

use std::{fs, os::unix::fs::symlink};

use super::{HEALTHY_CURL, OUTPUTS, SERVICE, Stage, read, told};
use crate::command::root;

/// The steps of the deployment, each from its name to the next step.
fn steps() -> Vec<String> {
    let pipeline = read(&root().join("cloudbuild.deploy.yaml"));
    let steps = pipeline.split("- id: ").skip(1);
    steps.map(str::to_owned).collect()
}

/// Runs the script of a step in the folder of the stage.
fn run_step(stage: &Stage, step: &str) -> std::process::Output {
    let (_, script) = step.split_once("script: |\n").unwrap();
    let lines = script.lines().take_while(|line| line.starts_with("      "));
    let script = lines.collect::<Vec<_>>().join("\n");
    let script = script.replace("/workspace", &stage.path("").display().to_string());
    let env = [("PROJECT_ID", "p"), ("_LOCATION", "l")];
    let mut command = stage.command("sh", &env);
    command.args(["-c", &script]).output().unwrap()
}

#[test]
fn services_are_held_right_after_they_are_made() {
    let steps = steps();
    let apply = steps.iter().position(|step| step.starts_with("apply\n"));
    let apply = apply.unwrap();
    assert!(steps[apply + 1].starts_with("hold\n"), "{steps:?}");
    for status in [0, 1, 3] {
        let stage = Stage::with_service(HEALTHY_CURL);
        fs::write(stage.path("api.json"), SERVICE.replace("old", "new")).unwrap();
        fs::remove_file(stage.path("outputs.json")).unwrap();
        symlink(root().join("scripts"), stage.path("scripts")).unwrap();
        let terraform =
            format!(r#"case "$1" in apply) exit {status} ;; output) echo '{OUTPUTS}' ;; esac"#);
        stage.stand_in("terraform", &terraform);

        let applied = run_step(&stage, &steps[apply]);
        assert!(applied.status.success(), "{}", told(&applied));
        let held = run_step(&stage, &steps[apply + 1]);
        assert_eq!(held.status.code(), Some(status), "{}", told(&held));
        assert_eq!(stage.traffic(), ["new=100"]);
    }
}

#[test]
fn a_step_of_the_pipeline_ends_with_the_first_command_that_fails() {
    for pipeline in ["", ".deploy", ".drift"] {
        let steps = read(&root().join(format!("cloudbuild{pipeline}.yaml")));
        assert!(steps.contains("script: "), "{pipeline}");
        for script in steps.split("script: |\n").skip(1) {
            assert_eq!(
                script.lines().next().map(str::trim),
                Some("set -e"),
                "{script}"
            );
        }
    }
}

/// A build with an image of one function only.
const BUILD: &str = r#"{"substitutions":{"COMMIT_SHA":"0123"},
    "results":{"images":[{"name":"registry/api:b1","digest":"sha256:0"}]}}"#;

#[test]
fn a_deployment_gets_the_digest_of_each_image_of_the_build() {
    let both = BUILD.replace(
        "[{",
        r#"[{"name":"registry/audit:b1","digest":"sha256:1"},{"#,
    );
    let other_commit = both.replace("0123", "4567");
    let other_build = both.replace("b1", "b2");
    let no_images = r#"{"substitutions":{"COMMIT_SHA":"0123"}}"#;
    let wanted = r#"{"commit":"0123","images":{"api":"registry/api@sha256:0","audit":"registry/audit@sha256:1"}}"#;
    for (build, error) in [
        (both.as_str(), None),
        (BUILD, Some("no image of: audit")),
        (&other_build, Some("no image of: api audit")),
        (no_images, Some("no image of: api audit")),
        (&other_commit, Some("is not of the commit 0123")),
        ("", Some("")),
    ] {
        let answer = match build {
            "" => "exit 1".to_owned(),
            build => format!("echo '{build}'"),
        };
        let stage = Stage::new(&answer, "");
        for function in ["api", "audit"] {
            fs::create_dir_all(stage.path("functions").join(function)).unwrap();
        }
        let arguments = ["registry", "b1", "0123", "p", "l", "images.json"];
        let output = stage.run("image-digests.sh", &arguments);
        assert_eq!(output.status.success(), error.is_none(), "{build}");
        assert!(told(&output).contains(error.unwrap_or("")), "{build}");
        let call = "gcloud builds describe b1 --project=p --region=l ";
        assert!(read(&stage.path("calls")).starts_with(call));
        let Some(_) = error else {
            let images = read(&stage.path("images.json"));
            let images: serde_json::Value = serde_json::from_str(&images).unwrap();
            let wanted: serde_json::Value = serde_json::from_str(wanted).unwrap();
            assert_eq!(images, wanted);
            continue;
        };
    }
}
