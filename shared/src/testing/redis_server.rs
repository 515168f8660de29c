use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use secrecy::SecretString;
use tempfile::TempDir;

/// A real `redis-server` on a socket of its own; dropping it ends it.
pub struct RedisServer {
    folder: TempDir,
    options: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// Starts a server and returns when it answers.
    ///
    /// # Errors
    /// When there is no such program, or it does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_with(tempfile::tempdir()?, Vec::new())
    }

    /// Starts a server in this folder with options beside its own.
    ///
    /// # Errors
    /// When there is no such program, or it does not start.
    pub fn start_with(folder: TempDir, options: Vec<String>) -> io::Result<Self> {
        let child = launch(&folder, &options)?;
        Ok(Self {
            folder,
            options,
            child,
        })
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
        match self.ask(&["SAVE"])?.as_str() {
            "OK" => Ok(()),
            _ => Err(io::Error::other("redis-server has not saved")),
        }
    }

    /// Asks it something on a connection of its own; the parts of a list come a line each.
    ///
    /// # Errors
    /// When there is no answer, or it is an error.
    pub fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.socket())?;
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command += &format!("${}\r\n{word}\r\n", word.len());
        }
        socket.write_all(command.as_bytes())?;
        read_answer(&mut BufReader::new(socket))
    }

    /// Freezes it with SIGSTOP: connections stay open and carry nothing.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Has it go on after [`Self::freeze`].
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other("redis-server cannot be signalled")),
        }
    }

    /// Starts it again, with an empty memory unless it has saved one.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.child = launch(&self.folder, &self.options)?;
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed before.
        drop(self.kill());
    }
}

fn launch(folder: &TempDir, options: &[String]) -> io::Result<Child> {
    let mut child = Command::new("redis-server")
        .current_dir(folder)
        .args(["--port", "0", "--unixsocket", "redis.sock"])
        .args(["--save", "", "--appendonly", "no"])
        .args(options)
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

/// Reads one answer (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
fn read_answer(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let (kind, rest) = line
        .split_at_checked(1)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let count = || rest.parse::<usize>().unwrap_or(0);
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" => {
            let mut text = vec![0; count() + 2];
            reader.read_exact(&mut text)?;
            text.truncate(count());
            String::from_utf8(text).map_err(io::Error::other)
        }
        "*" => {
            let parts: io::Result<Vec<_>> = (0..count()).map(|_| read_answer(reader)).collect();
            Ok(parts?.join("\n"))
        }
        _ => Err(io::Error::other(rest.to_owned())),
    }
}
