//! Files: what has changed since the last look, or all of them.

mod content;

use std::collections::HashSet;

use shared::{
    models::{KnowledgeDocument, KnowledgeKind, KnowledgeSource},
    vault::{DriveFile, FileChange, NextFiles, Since},
};

use crate::{
    arrival::shortened,
    ingest::{Described, Looked, Now},
    known::{list_known, share, stamp},
    leg::Leg,
    look::{Look, forget_passed_over, look_at_all},
    stop::Stop,
};

use self::content::{Content, is_read, read};

/// Longest name that is kept, in characters.
const MAX_TITLE_CHARS: usize = 500;

/// Of what is in a folder that goes or comes, Drive may tell nothing
/// (<https://developers.google.com/workspace/drive/api/guides/manage-changes>).
const FOLDER: &str = "application/vnd.google-apps.folder";

/// What the revisions of folders begin with: once they are gone, nothing else tells what they were.
const FOLDER_REVISION: &str = "folder:";

/// A file to look at again.
struct File(FileChange);

/// Brings the index to what the files in reach are.
pub(crate) async fn sync(leg: &mut Leg<'_>) -> Result<(), Stop> {
    share(leg).await?;
    let is_known = match leg.state.cursor.clone() {
        Some(cursor) => follow(leg, cursor).await?,
        None => false,
    };
    if !is_known || leg.is_to_look_at_all_again().await? {
        look_at_drive(leg).await?;
    }
    Ok(())
}

/// Looks again at what has changed; tells whether that is known. Where a folder has changed, all has
/// to be looked at, and the position stays until that is done.
async fn follow(leg: &mut Leg<'_>, mut position: String) -> Result<bool, Stop> {
    loop {
        leg.keep().await?;
        let workspace = &leg.app.workspace;
        let changes = workspace.list_file_changes(&leg.account, &position);
        let Since::Known(changes) = leg.ask(changes).await? else {
            return Ok(false);
        };
        if tells_of_folders(leg, &changes.changes).await? {
            return Ok(false);
        }
        let (next, is_last) = match changes.next {
            NextFiles::Page(next) => (next, false),
            NextFiles::Position(next) => (next, true),
        };
        let files: Vec<File> = once(changes.changes).into_iter().map(File).collect();
        look_at_all(leg, &files, |state, left| {
            if left == 0 {
                state.cursor = Some(next.clone());
            }
        })
        .await?;
        if is_last {
            return Ok(true);
        }
        position = next;
    }
}

/// Whether a folder is among these, or what nobody knows is gone, which may have been one.
async fn tells_of_folders(leg: &Leg<'_>, changes: &[FileChange]) -> Result<bool, Stop> {
    for change in changes {
        let is_folder = match &change.file {
            Some(file) => file.mime_type == FOLDER,
            None => {
                let id = KnowledgeDocument::id_of(leg.integration_id(), leg.kind, &change.id);
                let store = &leg.app.store;
                let known = store.find_knowledge_document(leg.org_id(), &id).await?;
                known.is_none_or(|known| known.value.revision.starts_with(FOLDER_REVISION))
            }
        };
        if is_folder {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Each file once, as it was told last.
fn once(changes: Vec<FileChange>) -> Vec<FileChange> {
    let mut seen = HashSet::new();
    let last = changes.into_iter().rev();
    let mut last: Vec<_> = last
        .filter(|change| seen.insert(change.id.clone()))
        .collect();
    last.reverse();
    last
}

/// Looks at all files that are not as the index knows them. The position is asked for first:
/// whatever happens meanwhile has happened since.
async fn look_at_drive(leg: &mut Leg<'_>) -> Result<(), Stop> {
    leg.keep().await?;
    let position = leg
        .ask(leg.app.workspace.drive_position(&leg.account))
        .await?;
    let (files, is_cut) = list_files(leg).await?;
    let of = |known: &KnowledgeDocument| stamp(&known.source, &known.revision);
    let known = list_known(leg, of).await?;
    let there: HashSet<String> = files.iter().map(|file| file.id.clone()).collect();
    let gone = known.keys().filter(|id| !there.contains(*id));
    let gone = gone.map(|id| FileChange {
        id: id.clone(),
        file: None,
    });
    let is_changed = |file: &DriveFile| {
        let Described { source, revision } = described(file);
        known.get(&file.id) != Some(&stamp(&source, &revision))
    };
    let changed = files.into_iter().filter(is_changed);
    let changed = changed.map(|file| FileChange {
        id: file.id.clone(),
        file: Some(file),
    });
    // What goes makes room for what comes.
    let all: Vec<File> = gone.chain(changed).map(File).collect();
    leg.has_left_out = is_cut;
    leg.commit_any(Vec::new(), |state| {
        state.is_incomplete = is_cut;
        // Whoever goes on after this worker has to look at all as well.
        state.cursor = None;
    })
    .await?;
    let now = leg.app.now();
    look_at_all(leg, &all, |state, left| {
        state.counts.pending = i64::try_from(left).unwrap_or(i64::MAX);
        if left == 0 {
            state.cursor = Some(position.clone());
            forget_passed_over(state, now);
        }
    })
    .await
}

/// Up to as many files as the plan allows, and whether there are more.
async fn list_files(leg: &mut Leg<'_>) -> Result<(Vec<DriveFile>, bool), Stop> {
    let most = usize::try_from(leg.plan.knowledge_documents).unwrap_or_default();
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    let mut page: Option<String> = None;
    loop {
        leg.keep().await?;
        let listed = leg.app.workspace.list_files(&leg.account, page.as_deref());
        let listed = leg.ask(listed).await?;
        let is_new = |file: &DriveFile| seen.insert(file.id.clone()) && !file.is_trashed;
        files.extend(listed.files.into_iter().filter(is_new));
        page = listed.next_page;
        if files.len() > most || page.is_none() {
            let is_cut = files.len() > most || page.is_some();
            files.truncate(most);
            return Ok((files, is_cut));
        }
    }
}

impl Look for File {
    async fn look(&self, leg: &Leg<'_>) -> Result<Looked, Stop> {
        let File(change) = self;
        let id = KnowledgeDocument::id_of(leg.integration_id(), leg.kind, &change.id);
        let was = leg
            .app
            .store
            .find_knowledge_document(leg.org_id(), &id)
            .await?;
        let Some(file) = change.file.as_ref().filter(|file| !file.is_trashed) else {
            return Ok(Looked::at(was, Now::Gone));
        };
        let described = described(file);
        let has_same_text = was
            .as_ref()
            .is_some_and(|was| was.value.revision == described.revision && !was.value.is_partial);
        let is_given_up = self.key().is_some_and(|key| leg.has_given_up(&key));
        let now = match (has_same_text, is_given_up) {
            (true, _) => Now::Relabelled(described),
            (false, true) => Now::There(described, None),
            (false, false) => match read(leg, file).await? {
                Content::Text(text) => Now::There(described, Some(text)),
                Content::Never => Now::There(described, None),
                Content::NotNow => Now::There(described.put_off(was.as_ref()), None),
            },
        };
        Ok(Looked::at(was, now))
    }

    /// A file that changes may be read again.
    fn key(&self) -> Option<String> {
        let file = self.0.file.as_ref();
        let file = file.filter(|file| !file.is_trashed && is_read(file))?;
        Some(format!("{} {}", file.id, file.revision))
    }

    /// What goes does so without a text.
    fn matters_when_spent(&self) -> bool {
        let file = self.0.file.as_ref();
        file.is_none_or(|file| file.is_trashed)
    }
}

fn described(file: &DriveFile) -> Described {
    Described {
        source: KnowledgeSource {
            kind: KnowledgeKind::Drive,
            id: file.id.clone(),
            title: shortened(&file.name, MAX_TITLE_CHARS),
            link: file.link.clone(),
            date: file.modified_at,
        },
        revision: match file.mime_type.as_str() {
            FOLDER => format!("{FOLDER_REVISION}{}", file.revision),
            _ => file.revision.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, is_there: bool) -> FileChange {
        let file = is_there.then(|| DriveFile {
            id: id.to_owned(),
            name: String::new(),
            mime_type: String::new(),
            modified_at: None,
            revision: String::new(),
            size: None,
            is_trashed: false,
            link: None,
        });
        FileChange {
            id: id.to_owned(),
            file,
        }
    }

    #[test]
    fn of_changes_of_one_file_the_last_counts() {
        let changes = vec![change("a", false), change("b", false), change("a", true)];
        assert_eq!(once(changes), [change("b", false), change("a", true)]);
    }
}
