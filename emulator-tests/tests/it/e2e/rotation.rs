//! The key of sealed credentials is rotated under load: every record can be read at any time, no
//! renewed token is lost, and what has moved them may be killed anywhere.

pub(super) mod keys;
mod load;

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use emulator_tests::faults::chance::Chance;
use shared::{config::Env, crypto::envelope::key_version};

use self::load::Load;
use super::processes::service;

/// How often the job is killed.
const KILLS: u64 = 20;

/// What the test has seen.
#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    rotations: u64,
}

/// The job, in its own process.
fn start_job(load: &Load) -> Child {
    let mut command = service("rewrap");
    command
        .env("FIRESTORE_EMULATOR_HOST", load.firestore.host())
        .env("LOCAL_CREDENTIALS_KEY_FILE", load.keys.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills the job after it has moved so many records; tells whether it was still at work.
async fn kill_after(load: &Load, moves: u64) -> bool {
    let before = load.moves();
    let mut job = start_job(load);
    let mut interval = tokio::time::interval(Duration::from_millis(1));
    let is_running = loop {
        interval.tick().await;
        if job.try_wait().unwrap().is_some() {
            break false;
        }
        if load.moves() >= before + moves {
            break true;
        }
    };
    job.kill().unwrap();
    job.wait().unwrap();
    is_running
}

/// Rotates the key, and again whenever the job has come to its end before it was killed.
async fn rotate_and_kill(load: &Load, records: usize, chance: &Chance) -> Figures {
    let mut figures = Figures::default();
    load.keys.rotate();
    figures.rotations += 1;
    while figures.kills < KILLS {
        let moves = 1 + chance.below(records / 30);
        if kill_after(load, u64::try_from(moves).unwrap()).await {
            figures.kills += 1;
        } else {
            load.keys.rotate();
            figures.rotations += 1;
        }
    }
    figures
}

/// Runs the job to its end: whether all was well, and what it told.
async fn run_job(load: &Load) -> (bool, String) {
    let job = start_job(load);
    let output = tokio::task::spawn_blocking(move || job.wait_with_output());
    let output = output.await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_under_load_and_nothing_is_lost() {
    let env = Env::from_process();
    let records = env.parsed("ROTATION_RECORDS", 1_000).unwrap();
    let seed = env.parsed("FAULT_SEED", rand::random()).unwrap();
    let [kills, readers, refreshers] =
        ["kills", "readers", "refreshers"].map(|part| Chance::new(seed, part));
    let load = Load::start(records).await;
    let drive = async {
        let figures = rotate_and_kill(&load, records, &kills).await;
        let (is_done, report) = run_job(&load).await;
        load.stop.cancel();
        (figures, is_done, report)
    };
    let (_, (figures, is_done, report)) = tokio::join!(load.run(&readers, &refreshers), drive);
    println!("seed {seed}: {figures:?}, {}\n{report}", load.figures());
    assert!(is_done, "seed {seed}: {report}");
    assert_eq!(load.failures(), Vec::<String>::new(), "seed {seed}");
    assert!(load.has_done_enough(), "{}", load.figures());

    let primary = load.keys.primary();
    for text in load.texts().await {
        assert_eq!(key_version(&text).as_ref(), Some(&primary), "seed {seed}");
    }
    load.keys.keep_only_primary();
    load.assert_newest(seed).await;
    let (is_done, report) = run_job(&load).await;
    assert!(is_done && report.contains("rewrapped 0"), "{report}");
    load.firestore.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_version_is_destroyed_says_so_and_keeps_no_other_from_being_moved() {
    let load = Load::start(3).await;
    load.keys.rotate();
    let (is_done, _) = run_job(&load).await;
    assert!(is_done);
    load.keys.rotate();
    load.refresh(1).await;
    load.keys.keep_only_primary();
    let (is_done, report) = run_job(&load).await;
    assert!(!is_done, "{report}");
    let told = "looked at 3, rewrapped 0, already 1, lost races 0, unopenable 2 (under a destroyed version 2), failed 0";
    assert!(report.contains(told), "{report}");
    let causes = load.causes().await;
    let destroyed = || Some("key_destroyed".to_owned());
    assert_eq!(causes, [destroyed(), None, destroyed()]);
    let (is_done, report) = run_job(&load).await;
    assert!(is_done, "it was told once: {report}");
    load.firestore.shutdown().await;
}
