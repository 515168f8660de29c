//! Mail: what has changed since the last look, or all of it.

mod fetch;

use std::collections::{HashMap, HashSet};

use shared::{
    models::{KnowledgeDocument, KnowledgeKind, KnowledgeSource, Timestamp},
    store::Versioned,
    vault::{MailTouch, RawMail, Since},
};

use self::fetch::fetch;

use crate::{
    arrival::{Waiting, shortened},
    ingest::{Described, Looked, Now, is_unread},
    known::{list_known, share},
    leg::Leg,
    look::{Look, forget_passed_over, look_at_all, new_since},
    room::Room,
    stop::Stop,
    text::{MAX_TEXT_CHARS, MailText},
    watch::watch,
};

/// How a mail's text is made: another way, and all of them are read again when all are looked at.
const REVISION: &str = "1";

/// So many mails may have come since the last look.
const RECENT: usize = 500;

/// Longest subject that is kept, in characters.
const MAX_TITLE_CHARS: usize = 500;

/// A mail to look at again.
struct Mail<'w> {
    id: String,
    /// Whom it starts, when it is new.
    starts: Option<&'w Waiting>,
    /// New is what nobody knows and came later; all that has come, for who follows what changes.
    since: Option<Timestamp>,
    /// Whether it may have come since the last look.
    is_recent: bool,
}

/// Brings the index to what the mailbox is.
pub(crate) async fn sync(leg: &mut Leg<'_>) -> Result<(), Stop> {
    share(leg).await?;
    let waiting = Waiting::of(leg).await?;
    let is_known = match leg.state.cursor.clone() {
        Some(cursor) => follow(leg, &cursor, &waiting).await?,
        None => false,
    };
    if !is_known || leg.is_to_look_at_all_again().await? {
        look_at_mailbox(leg, &waiting).await?;
    }
    watch(leg).await
}

/// Looks again at what has changed; tells whether that is known.
async fn follow(leg: &mut Leg<'_>, cursor: &str, waiting: &Waiting) -> Result<bool, Stop> {
    let mut page: Option<String> = None;
    loop {
        leg.keep().await?;
        let workspace = &leg.app.workspace;
        let changes = workspace.list_mail_changes(&leg.account, cursor, page.as_deref());
        let Since::Known(changes) = leg.ask(changes).await? else {
            return Ok(false);
        };
        let mails = once(changes.touched).into_iter();
        let mails: Vec<_> = mails.map(|touch| touched(leg, touch, waiting)).collect();
        look_at_all(leg, &mails, |state, left| {
            if left == 0 {
                state.cursor = Some(changes.history_id.clone());
            }
        })
        .await?;
        page = changes.next_page;
        if page.is_none() {
            return Ok(true);
        }
    }
}

/// What has only changed may have come before, and been passed over.
fn touched<'w>(leg: &Leg<'_>, touch: MailTouch, waiting: &'w Waiting) -> Mail<'w> {
    let since = leg.state.passed_over_since.filter(|_| !touch.is_new);
    Mail {
        id: touch.id,
        starts: (touch.is_new || since.is_some()).then_some(waiting),
        since,
        is_recent: true,
    }
}

/// Each mail once, in its place; new if it is anywhere.
fn once(touched: Vec<MailTouch>) -> Vec<MailTouch> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<MailTouch> = Vec::new();
    for touch in touched {
        match places.get(&touch.id) {
            Some(&place) => all[place].is_new |= touch.is_new,
            None => {
                places.insert(touch.id.clone(), all.len());
                all.push(touch);
            }
        }
    }
    all
}

/// Looks at all that the mailbox has and the index has not, or the other way round. The position is
/// asked for first: whatever happens meanwhile has happened since.
async fn look_at_mailbox(leg: &mut Leg<'_>, waiting: &Waiting) -> Result<(), Stop> {
    leg.keep().await?;
    let mailbox = leg.ask(leg.app.workspace.mailbox(&leg.account)).await?;
    let (ids, is_cut) = list_ids(leg).await?;
    let known = list_known(leg, |known| known.revision.clone()).await?;
    let there: HashSet<&String> = ids.iter().collect();
    let gone = known.keys().filter(|id| !there.contains(id));
    let gone: Vec<Gone> = gone.cloned().map(Gone).collect();
    leg.has_left_out = is_cut;
    look_at_all(leg, &gone, |_, _| ()).await?;
    // Nothing is new that was there before anybody looked.
    let since = new_since(&leg.state);
    let starts = since.map(|_| waiting).filter(|waiting| !waiting.is_empty());
    let missing = ids
        .into_iter()
        .filter(|id| known.get(id).is_none_or(|revision| revision != REVISION));
    let missing = missing.enumerate().map(|(place, id)| Mail {
        id,
        starts,
        since,
        is_recent: place < RECENT,
    });
    let missing: Vec<_> = missing.collect();
    let missing = within_room(leg, missing).await?;
    let has_left_out = leg.has_left_out;
    leg.commit_any(Vec::new(), |state| {
        state.is_incomplete = has_left_out;
        // Whoever goes on after this worker has to look at all as well.
        state.cursor = None;
    })
    .await?;
    let now = leg.app.now();
    look_at_all(leg, &missing, |state, left| {
        state.counts.pending = i64::try_from(left).unwrap_or(i64::MAX);
        if left == 0 {
            state.cursor = Some(mailbox.history_id.clone());
            forget_passed_over(state, now);
        }
    })
    .await
}

/// Up to as many mails as the plan allows, newest first, and whether there are more.
async fn list_ids(leg: &mut Leg<'_>) -> Result<(Vec<String>, bool), Stop> {
    let most = usize::try_from(leg.plan.knowledge_documents).unwrap_or_default();
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    let mut page: Option<String> = None;
    loop {
        leg.keep().await?;
        let listed = leg.app.workspace.list_mail(&leg.account, page.as_deref());
        let listed = leg.ask(listed).await?;
        let new = listed.ids.into_iter().filter(|id| seen.insert(id.clone()));
        ids.extend(new);
        page = listed.next_page;
        if ids.len() > most || page.is_none() {
            let is_cut = ids.len() > most || page.is_some();
            ids.truncate(most);
            return Ok((ids, is_cut));
        }
    }
}

/// What there may be room for; where the index is full, only what may start somebody.
async fn within_room<'w>(
    leg: &mut Leg<'_>,
    mut missing: Vec<Mail<'w>>,
) -> Result<Vec<Mail<'w>>, Stop> {
    if !missing.is_empty() && Room::now(leg).await?.is_full() {
        leg.has_left_out = true;
        let starts = missing.iter().any(|mail| mail.starts.is_some());
        missing.truncate(if starts { RECENT } else { 0 });
    }
    Ok(missing)
}

impl Look for Mail<'_> {
    async fn look(&self, leg: &Leg<'_>) -> Result<Looked, Stop> {
        let id = KnowledgeDocument::id_of(leg.integration_id(), leg.kind, &self.id);
        let was = leg.app.store.find_knowledge_document(leg.org_id(), &id);
        let was = was.await?;
        let is_same = was
            .as_ref()
            .is_some_and(|was| was.value.revision == REVISION && !was.value.is_partial);
        let mut with_content = !leg.has_given_up(&self.id);
        loop {
            let Some(fetched) = fetch(leg, &self.id, with_content).await? else {
                return Ok(Looked::at(was, Now::Gone));
            };
            let starts = self.starts_now(was.as_ref(), &fetched.mail);
            if is_same && starts.is_none() {
                return Ok(Looked::at(was, Now::Same));
            }
            let (mail, read) = fetched.read(leg).await?;
            let text = match read {
                Some(Ok(text)) => text,
                None if with_content && !is_same && may_wait(leg, was.as_ref()).await? => {
                    let described = described(&mail, &MailText::default());
                    let now = Now::There(described.put_off(was.as_ref()), None);
                    return Ok(Looked::at(was, now));
                }
                // Given up: its headers tell whom it starts.
                _ if with_content => {
                    with_content = false;
                    continue;
                }
                _ => MailText::default(),
            };
            let triggers = starts.map(|waiting| waiting.triggers(leg, &mail, &text));
            let triggers = triggers.unwrap_or_default();
            let now = match is_same {
                true => Now::Same,
                false => Now::There(described(&mail, &text), Some(whole(&text))),
            };
            return Ok(Looked { was, now, triggers });
        }
    }

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }

    /// A touched mail may be gone, a new one may start somebody.
    fn matters_when_spent(&self) -> bool {
        self.since.is_none() || (self.is_recent && self.starts.is_some())
    }
}

impl<'w> Mail<'w> {
    /// Whom it starts: what nobody has read yet has started nobody.
    fn starts_now(
        &self,
        was: Option<&Versioned<KnowledgeDocument>>,
        mail: &RawMail,
    ) -> Option<&'w Waiting> {
        let is_new = |since| was.is_none_or(is_unread) && mail.received_at >= since;
        let starts = self.starts.filter(|waiting| !waiting.is_empty());
        starts.filter(|_| self.since.is_none_or(is_new))
    }
}

/// Whether a mail that is not read in time is looked at once more: it was not, and what tells so can
/// be kept.
async fn may_wait(leg: &Leg<'_>, was: Option<&Versioned<KnowledgeDocument>>) -> Result<bool, Stop> {
    match was {
        Some(was) => Ok(!is_unread(was)),
        None => Ok(Room::now(leg).await?.take(1, 0)),
    }
}

/// A mail that the mailbox does not show any more.
struct Gone(String);

impl Look for Gone {
    async fn look(&self, leg: &Leg<'_>) -> Result<Looked, Stop> {
        let id = KnowledgeDocument::id_of(leg.integration_id(), leg.kind, &self.0);
        let was = leg.app.store.find_knowledge_document(leg.org_id(), &id);
        Ok(Looked::at(was.await?, Now::Gone))
    }
}

fn described(mail: &RawMail, text: &MailText) -> Described {
    Described {
        source: KnowledgeSource {
            kind: KnowledgeKind::Gmail,
            id: mail.id.clone(),
            title: shortened(&text.subject, MAX_TITLE_CHARS),
            link: Some(format!("https://mail.google.com/mail/#all/{}", mail.id)),
            date: Some(mail.received_at),
        },
        revision: REVISION.to_owned(),
    }
}

/// What a mail is found by: who wrote it, what about, and what is attached, up to the length of a
/// file's text.
fn whole(mail: &MailText) -> String {
    let mut whole = format!("{}\n{}\n\n{}", mail.subject, mail.from, mail.text);
    let mut left = MAX_TEXT_CHARS.saturating_sub(whole.chars().count());
    for attachment in &mail.attachments {
        let text = attachment.text.as_deref().unwrap_or_default();
        let part = shortened(&format!("\n\n{}\n{text}", attachment.name), left);
        left -= part.chars().count();
        whole.push_str(&part);
    }
    whole
}
