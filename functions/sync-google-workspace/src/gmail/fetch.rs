use std::mem;

use shared::vault::{MAX_MAIL_BYTES, RawMail};

use crate::{
    arrival::has,
    leg::Leg,
    readers::Held,
    stop::Stop,
    text::{MailText, Unreadable, read_mail},
};

/// Larger mails are asked for once more, when there is room for them.
const USUAL_BYTES: usize = 1 << 20;

/// What each byte of a mail takes: as it comes, as it was sent, and its attachments.
const ROOM_PER_BYTE: usize = 5;

/// Labels of what a mailbox does not show.
const HIDDEN: [&str; 3] = ["TRASH", "SPAM", "DRAFT"];

/// A mail, and the room that it takes.
pub(super) struct Fetched {
    pub(super) mail: RawMail,
    held: Held,
}

/// Fetches a mail, if the mailbox shows it; without its content, nothing but its headers.
pub(super) async fn fetch(
    leg: &Leg<'_>,
    id: &str,
    with_content: bool,
) -> Result<Option<Fetched>, Stop> {
    let limits: &[usize] = match with_content {
        true => &[USUAL_BYTES, MAX_MAIL_BYTES],
        false => &[0],
    };
    let mut fetched = None;
    for &limit in limits {
        drop(fetched.take());
        let held = leg.app.readers.hold(limit * ROOM_PER_BYTE).await?;
        let found = leg.app.workspace.find_mail(&leg.account, id, limit);
        let is_shown = |mail: &RawMail| !HIDDEN.iter().any(|label| has(mail, label));
        let Some(mail) = leg.ask(found).await?.filter(is_shown) else {
            return Ok(None);
        };
        let is_whole = mail.is_whole;
        fetched = Some(Fetched { mail, held });
        if is_whole {
            break;
        }
    }
    Ok(fetched)
}

impl Fetched {
    /// What the mail says, if it is read in time. The room is free again when its reader is.
    pub(super) async fn read(
        self,
        leg: &Leg<'_>,
    ) -> Result<(RawMail, Option<Result<MailText, Unreadable>>), Stop> {
        let Self { mut mail, held } = self;
        let raw = mem::take(&mut mail.raw);
        let read = leg.app.readers.read(move || {
            let text = read_mail(&raw);
            drop(raw);
            drop(held);
            text
        });
        Ok((mail, read.await?))
    }
}
