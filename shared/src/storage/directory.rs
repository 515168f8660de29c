use std::{
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Bucket, Created, Error};

/// Objects as files below a directory: for a developer's machine and for tests.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Objects below `root`, which is made when it is needed.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Bucket for Directory {
    async fn create(&self, name: &str, content: Bytes) -> Result<Created, Error> {
        let path = self.root.join(name);
        let write = move || create_whole(&path, &content);
        match run(write).await? {
            Ok(()) => Ok(Created::New),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Existed),
            Err(error) => Err(Error::Refused(Box::new(error))),
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let path = self.root.join(name);
        match run(move || std::fs::read(path)).await? {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Refused(Box::new(error))),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.root.join(name);
        match run(move || std::fs::remove_file(path)).await? {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::Refused(Box::new(error)))
            }
            _ => Ok(()),
        }
    }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Unavailable(Box::new(error)))
}

/// The file appears whole or not at all, and replaces none.
fn create_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}
