use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, json};

/// A file of keys whose versions come and go, for [`shared::crypto::LocalKeys`].
pub(super) struct KeyFile(PathBuf);

/// The versions that are retained.
const RETAINED: [u8; 2] = [1, 2];

/// One that is not.
const LOST: u8 = 3;

impl KeyFile {
    /// A file with the first version.
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let file = Self(path);
        file.write(&RETAINED[..1])?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the second version the primary one; the first is retained.
    pub(super) fn rotate(&self) -> Result<()> {
        self.write(&RETAINED)
    }

    /// Makes a version the primary one that [`Self::rotate`] takes away again.
    pub(super) fn use_lost(&self) -> Result<()> {
        self.write(&[&RETAINED[..], &[LOST]].concat())
    }

    fn write(&self, versions: &[u8]) -> Result<()> {
        let keys = versions.iter();
        let keys =
            keys.map(|version| (version.to_string(), json!(STANDARD.encode([*version; 32]))));
        let keys: Map<_, _> = keys.collect();
        let primary = versions.last().map(ToString::to_string);
        fs::write(
            &self.0,
            json!({ "primary": primary, "keys": keys }).to_string(),
        )?;
        Ok(())
    }
}
