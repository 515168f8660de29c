//! A line to a server that can be slow.

use std::{
    io::{self, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Carries all that is sent to a socket and back, as late as it is told.
pub(super) struct SlowLine {
    folder: TempDir,
    delay_ms: Arc<AtomicU64>,
}

impl SlowLine {
    pub(super) fn to(server: PathBuf) -> Self {
        let line = Self {
            folder: tempfile::tempdir().unwrap(),
            delay_ms: Arc::default(),
        };
        let listener = UnixListener::bind(line.socket()).unwrap();
        let delay_ms = line.delay_ms.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&server).unwrap();
                carry(&client, &server, &delay_ms);
                carry(&server, &client, &delay_ms);
            }
        });
        line
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("slow.sock")
    }

    pub(super) fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap();
        self.delay_ms.store(millis, Ordering::Relaxed);
    }
}

fn carry(from: &UnixStream, to: &UnixStream, delay_ms: &Arc<AtomicU64>) {
    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let delay_ms = delay_ms.clone();
    // It ends with the connection, in one way or the other.
    thread::spawn(move || carry_all(from, to, &delay_ms));
}

fn carry_all(mut from: UnixStream, mut to: UnixStream, delay_ms: &AtomicU64) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        let length = from.read(&mut buffer)?;
        // The delay is what is tried, not a wait for something.
        thread::sleep(Duration::from_millis(delay_ms.load(Ordering::Relaxed)));
        to.write_all(&buffer[..length])?;
        if length == 0 {
            return to.shutdown(std::net::Shutdown::Both);
        }
    }
}
