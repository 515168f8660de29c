//! Files that are either the old or the new version, never a mixture.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces `path` by a file that holds `contents`, and returns it open for appending.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<File> {
    let fresh = path.with_added_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(file)
}
