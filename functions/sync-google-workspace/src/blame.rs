//! What ends the process that reads it, which nothing else tells of: what is being read is kept.

use shared::models::{Reading, SyncState};

use crate::{leg::Leg, stop::Stop};

/// The latest of what nobody reads any more.
const MAX_GIVEN_UP: usize = 100;

/// Keeps that these are read.
pub(crate) async fn mark(leg: &mut Leg<'_>, keys: &[String]) -> Result<(), Stop> {
    let reading = Some(Reading {
        process: leg.app.process.to_string(),
        keys: keys.to_vec(),
    });
    leg.commit(Vec::new(), |state| state.reading.clone_from(&reading))
        .await
}

/// These have been read.
pub(crate) fn unmark(state: &mut SyncState, keys: &[String]) {
    state.reading = None;
    state.suspects.retain(|suspect| !keys.contains(suspect));
}

/// Blames what another process was reading when it said nothing any more: all of it at first, and what
/// is to blame already once it was read alone. Tells what is given up.
pub(crate) fn blame(state: &mut SyncState, process: &str) -> Option<String> {
    let reading = state
        .reading
        .take_if(|reading| reading.process != process)?;
    if let [key] = &reading.keys[..]
        && state.suspects.contains(key)
    {
        state.suspects.retain(|suspect| suspect != key);
        state.given_up.push(key.clone());
        let excess = state.given_up.len().saturating_sub(MAX_GIVEN_UP);
        state.given_up.drain(..excess);
        state.counts.skipped += 1;
        return Some(key.clone());
    }
    let new = reading.keys.into_iter();
    let new: Vec<_> = new.filter(|key| !state.suspects.contains(key)).collect();
    state.suspects.extend(new);
    None
}

#[cfg(test)]
mod tests {
    use shared::ids::OrgId;

    use super::*;

    /// After a process that has ended while it read these.
    fn after(state: &SyncState, keys: &[&str]) -> SyncState {
        let mut state = SyncState {
            reading: Some(Reading {
                process: "another".to_owned(),
                keys: keys.iter().map(|&key| key.to_owned()).collect(),
            }),
            ..state.clone()
        };
        blame(&mut state, "this");
        state
    }

    #[test]
    fn what_ends_two_processes_is_given_up_the_second_time_that_it_was_read_alone() {
        let state = after(&SyncState::new(OrgId::derive(&["o1"])), &["a", "b"]);
        assert_eq!(
            (&state.suspects[..], state.given_up.len()),
            (&["a".to_owned(), "b".to_owned()][..], 0)
        );
        let state = after(&state, &["a"]);
        assert_eq!(state.suspects, ["b"]);
        assert_eq!(
            (&state.given_up[..], state.counts.skipped),
            (&["a".to_owned()][..], 1)
        );
    }

    #[test]
    fn the_first_time_alone_gives_nothing_up() {
        let state = after(&SyncState::new(OrgId::derive(&["o1"])), &["a"]);
        assert_eq!((state.suspects.len(), state.given_up.len()), (1, 0));
    }

    #[test]
    fn a_process_does_not_blame_what_it_reads_itself() {
        let mut state = SyncState {
            reading: Some(Reading {
                process: "this".to_owned(),
                keys: vec!["a".to_owned()],
            }),
            ..SyncState::new(OrgId::derive(&["o1"]))
        };
        let before = state.clone();
        assert_eq!(blame(&mut state, "this"), None);
        assert_eq!(state, before);
    }

    #[test]
    fn so_many_are_kept_that_were_given_up_and_no_more() {
        let mut state = SyncState::new(OrgId::derive(&["o1"]));
        for number in 0..=MAX_GIVEN_UP {
            let key = number.to_string();
            state.suspects.push(key.clone());
            state = after(&state, &[&key]);
        }
        assert_eq!(state.given_up.len(), MAX_GIVEN_UP);
        assert_eq!(state.given_up[0], "1");
    }
}
