use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const JAR: &str = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
const MAIN_CLASS: &str = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";

/// Google's own Firestore emulator; dropping it ends it.
pub(super) struct GoogleEmulator {
    process: Child,
    port: u16,
}

impl GoogleEmulator {
    /// Starts it where the Google Cloud CLI has it and there is a Java to run it.
    pub(super) fn start() -> Option<Self> {
        let jar = installed()?;
        let port = free_port();
        let process = command(&jar, port).spawn().ok()?;
        let mut emulator = Self { process, port };
        emulator.wait_until_ready();
        Some(emulator)
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&mut self) {
        let output = self.process.stdout.take().unwrap();
        let mut lines = BufReader::new(output).lines().map(Result::unwrap);
        let is_ready = lines.any(|line| line.contains("is now running"));
        assert!(is_ready, "Google's emulator ended before it was ready");
    }
}

impl Drop for GoogleEmulator {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn installed() -> Option<PathBuf> {
    let mut question = Command::new("gcloud");
    question.args(["info", "--format=value(installation.sdk_root)"]);
    let answer = question.stdin(Stdio::null()).output().ok()?;
    let sdk = String::from_utf8(answer.stdout).ok()?;
    let jar = Path::new(sdk.trim()).join(JAR);
    jar.is_file().then_some(jar)
}

/// Java itself, as `gcloud emulators firestore start` leaves it running when it is ended.
fn command(jar: &Path, port: u16) -> Command {
    let mut java = Command::new("java");
    java.arg("-Duser.language=en").arg("-cp").arg(jar);
    java.args([MAIN_CLASS, "--host=127.0.0.1", &format!("--port={port}")]);
    java.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    java
}

/// A port that was free a moment ago: the emulator does not tell which one 0 has become.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
