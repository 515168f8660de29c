use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use secrecy::SecretString;
use tempfile::TempDir;

/// A real `redis-server` on a socket of its own; dropping it ends it.
pub struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    /// Starts a server and returns when it answers.
    ///
    /// # Errors
    /// When there is no such program, or it does not start.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let child = launch(&folder)?;
        Ok(Self { folder, child })
    }

    /// Where it is, also while it is down.
    #[must_use]
    pub fn url(&self) -> SecretString {
        format!("redis+unix://{}", self.socket().display()).into()
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Kills it with SIGKILL: all that it knew is lost.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Has it write down all that it knows, to know that again when it is started again.
    ///
    /// # Errors
    /// When it does not.
    pub fn save(&self) -> io::Result<()> {
        let mut socket = UnixStream::connect(self.socket())?;
        socket.write_all(b"SAVE\r\n")?;
        let mut answer = [0; 3];
        socket.read_exact(&mut answer)?;
        match &answer {
            b"+OK" => Ok(()),
            _ => Err(io::Error::other("redis-server has not saved")),
        }
    }

    /// Starts it again, with an empty memory unless it has saved one.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.child = launch(&self.folder)?;
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed before.
        drop(self.kill());
    }
}

fn launch(folder: &TempDir) -> io::Result<Child> {
    let mut child = Command::new("redis-server")
        .current_dir(folder)
        .args(["--port", "0", "--unixsocket", "redis.sock"])
        .args(["--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let is_ready = lines.any(|line| line.is_ok_and(|line| line.contains("eady to accept")));
    match is_ready {
        true => Ok(child),
        false => Err(io::Error::other("redis-server ended at its start")),
    }
}
