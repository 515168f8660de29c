use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};

/// A new file that only its owner can read; it goes unless a secret is kept in it.
pub(crate) struct SecretFile {
    file: File,
    path: PathBuf,
    is_kept: bool,
}

impl SecretFile {
    /// Made before the secret is: Stripe tells it once.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = options.open(path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            is_kept: false,
        })
    }

    pub(crate) fn keep(mut self, secret: &SecretString) -> Result<()> {
        let kept = self.file.write_all(secret.expose_secret().as_bytes());
        kept.and_then(|()| self.file.sync_all())
            .context("cannot keep the secret: it is in Stripe's dashboard")?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // What stays is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
