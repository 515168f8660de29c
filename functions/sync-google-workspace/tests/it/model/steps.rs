use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, rngs::StdRng};
use shared::testing::FakeAccount;

pub(super) const FROM: &str = "Grace <grace@example.com>";

/// What the user of an account does.
pub(super) struct Steps<'a> {
    user: &'a FakeAccount,
    /// Mails that are not deleted, and whether they are out of sight.
    mails: BTreeMap<String, bool>,
    files: Vec<File>,
    /// Mails that came after the first interval.
    pub(super) delivered_later: BTreeSet<String>,
    /// Mails that somebody has moved or labelled.
    touched: BTreeSet<String>,
    /// Whether the history was forgotten.
    pub(super) has_expired: bool,
    taken: usize,
    words: usize,
}

struct File {
    id: String,
    is_folder: bool,
    is_trashed: bool,
    is_unshared: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(user: &'a FakeAccount) -> Self {
        Self {
            user,
            mails: BTreeMap::new(),
            files: Vec::new(),
            delivered_later: BTreeSet::new(),
            touched: BTreeSet::new(),
            has_expired: false,
            taken: 0,
            words: 0,
        }
    }

    pub(super) fn take(&mut self, random: &mut StdRng, count: usize) {
        for _ in 0..count {
            match random.random_bool(0.5) {
                true => self.step_of_mail(random),
                false => self.step_of_file(random),
            }
        }
        self.taken += 1;
    }

    /// Whether a mail is as it came.
    pub(super) fn untouched(&self, id: &str) -> bool {
        !self.touched.contains(id)
    }

    fn step_of_mail(&mut self, random: &mut StdRng) {
        let step = random.random_range(0..10);
        let Some(id) = pick(random, &self.mails.keys().cloned().collect::<Vec<_>>()) else {
            return self.deliver(random);
        };
        if step < 4 {
            return self.deliver(random);
        }
        self.touched.insert(id.clone());
        let user = self.user;
        match step {
            4 if self.mails[&id] => user.untrash_mail(&id),
            4 => user.trash_mail(&id),
            5 => user.label_mail(&id, &["STARRED"], &["UNREAD"]),
            6 => user.label_mail(&id, &["SPAM"], &["INBOX"]),
            7 => user.label_mail(&id, &["INBOX"], &["SPAM"]),
            8 => {
                user.delete_mail(&id);
                self.mails.remove(&id);
                return;
            }
            _ => {
                user.expire_history();
                self.has_expired = true;
                return;
            }
        }
        if step == 4 {
            let is_trashed = self.mails[&id];
            self.mails.insert(id, !is_trashed);
        }
    }

    fn deliver(&mut self, random: &mut StdRng) {
        let (subject, text) = (self.text(1), self.text_of_any_length(random));
        let id = self.user.deliver(FROM, &subject, &text);
        if self.taken > 0 {
            self.delivered_later.insert(id.clone());
        }
        self.mails.insert(id, false);
    }

    fn step_of_file(&mut self, random: &mut StdRng) {
        let (step, user) = (random.random_range(0..10), self.user);
        let place = match self.files.is_empty() {
            true => None,
            false => Some(random.random_range(0..self.files.len())),
        };
        let (Some(place), 3..) = (place, step) else {
            return self.create(random);
        };
        let text = self.text_of_any_length(random);
        let name = self.text(2);
        let folders: Vec<_> = self.files.iter().filter(|file| file.is_folder).collect();
        let folders: Vec<_> = folders.into_iter().map(|file| file.id.clone()).collect();
        let folder = pick(random, &folders).unwrap_or_else(|| "another-folder".to_owned());
        let file = &mut self.files[place];
        match step {
            3..7 if file.is_folder => user.rename_file(&file.id, &name),
            3 | 4 => user.edit_file(&file.id, text),
            5 => user.rename_file(&file.id, &name),
            6 => user.move_file(&file.id, &folder),
            7 if file.is_trashed => {
                file.is_trashed = false;
                user.restore_file(&file.id);
            }
            7 => {
                file.is_trashed = true;
                user.trash_file(&file.id);
            }
            8 if file.is_unshared => {
                file.is_unshared = false;
                user.reshare_file(&file.id);
            }
            8 => {
                file.is_unshared = true;
                user.unshare_file(&file.id);
            }
            _ => {
                user.delete_file(&file.id);
                self.files.remove(place);
            }
        }
    }

    fn create(&mut self, random: &mut StdRng) {
        let (name, text) = (self.text(2), self.text_of_any_length(random));
        let (kind, user) = (random.random_range(0..5), self.user);
        let id = match kind {
            0 => user.create_folder(&name),
            1 | 2 => user.create_document(&name, &text),
            _ => user.create_file(&name, "text/plain", text),
        };
        self.files.push(File {
            id,
            is_folder: kind == 0,
            is_trashed: false,
            is_unshared: false,
        });
    }

    /// Mostly short; now and then several pieces.
    fn text_of_any_length(&mut self, random: &mut StdRng) -> String {
        let words = match random.random_range(0..12) {
            0 => 900,
            _ => random.random_range(3..30),
        };
        self.text(words)
    }

    /// A text like no other.
    fn text(&mut self, words: usize) -> String {
        let words = (0..words).map(|_| {
            self.words += 1;
            format!("w{}", self.words)
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn pick(random: &mut StdRng, ids: &[String]) -> Option<String> {
    match ids.is_empty() {
        true => None,
        false => Some(ids[random.random_range(0..ids.len())].clone()),
    }
}
