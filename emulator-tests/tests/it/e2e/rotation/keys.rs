use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;

/// A key file whose key can be rotated.
pub(crate) struct Keys {
    directory: TempDir,
    primary: AtomicU8,
}

impl Keys {
    /// A key with one version.
    pub(crate) fn new() -> Self {
        let keys = Self {
            directory: tempfile::tempdir().unwrap(),
            primary: AtomicU8::new(1),
        };
        keys.write(1..=1);
        keys
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("keys.json")
    }

    /// The name of the primary version.
    pub(super) fn primary(&self) -> String {
        format!("local/{}", self.primary.load(Ordering::Relaxed))
    }

    /// Adds a version, which becomes the primary one.
    pub(super) fn rotate(&self) {
        let primary = self.primary.fetch_add(1, Ordering::Relaxed) + 1;
        self.write(1..=primary);
    }

    /// Destroys every other version.
    pub(super) fn keep_only_primary(&self) {
        let primary = self.primary.load(Ordering::Relaxed);
        self.write(primary..=primary);
    }

    /// Who reads the file sees the one or the other.
    fn write(&self, versions: std::ops::RangeInclusive<u8>) {
        let primary = versions.end().to_string();
        let keys: serde_json::Map<_, _> = versions
            .map(|version| (version.to_string(), json!(STANDARD.encode([version; 32]))))
            .collect();
        let content = json!({ "primary": primary, "keys": keys });
        let new = self.directory.path().join("new.json");
        fs::write(&new, content.to_string()).unwrap();
        fs::rename(new, self.path()).unwrap();
    }
}
