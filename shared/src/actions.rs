//! What can be done with the services that an organization has connected: the actions of workflow
//! nodes and, by their grants, of agents. Data only; [`crate::connectors`] carries them out.

mod check;
mod github;
mod google;
mod schema;
mod sendgrid;
mod stripe;
mod twilio;

use std::{
    collections::BTreeSet,
    fmt,
    hash::{Hash, Hasher},
};

pub use check::InvalidField;
pub(crate) use google::{DRIVE_READ, GMAIL_READ};

use crate::models::IntegrationService;

/// The grant by which agents search what was synced: it is of no service, so it is no action.
pub const KNOWLEDGE_SEARCH: &str = "knowledge.search";

/// Scopes of which one is enough; the first is the one that users are asked for.
pub type AnyOf = &'static [&'static str];

/// One thing to do with a connected service.
pub struct Action {
    /// The `type` of its node: `google.gmail.send`.
    pub name: &'static str,
    /// Whose credentials it needs.
    pub service: IntegrationService,
    /// What people call it.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What a repeat does.
    pub effect: Effect,
    /// Whether people are asked before it is done, unless a workflow says otherwise: it sends,
    /// charges, deletes or replaces what cannot be taken back.
    pub asks_first: bool,
    /// What the integration must have been granted, one scope of each group, if the service knows
    /// scopes.
    pub scopes: &'static [AnyOf],
    /// What it is told.
    pub fields: &'static [Field],
}

/// What happens when an action is carried out a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Nothing more happens: the service knows the key, or what was made can be found by it.
    Keyed,
    /// Nothing more happens, once what was made can be found by the key: a search may not see it for
    /// some seconds.
    Searched,
    /// It happens again, so it is done at most once.
    Once,
}

/// Something that an action is told.
#[derive(Debug)]
pub struct Field {
    /// Its name in the input.
    pub name: &'static str,
    /// What it may be.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it is for.
    pub description: &'static str,
}

/// What a field may be. Any of them may be given as an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldKind {
    /// Text that is not empty.
    Text,
    /// A list of texts that are not empty.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// An instant, as RFC 3339 writes it.
    Instant,
    /// Any JSON value.
    Any,
}

impl Field {
    const fn required(name: &'static str, kind: FieldKind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: true,
            description,
        }
    }

    const fn optional(name: &'static str, kind: FieldKind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: false,
            description,
        }
    }
}

impl Action {
    /// The scopes to ask the user for, one of each group of which none is granted. Credentials
    /// whose service tells of no scopes lack none.
    pub fn missing_scopes(&self, granted: &[String]) -> impl Iterator<Item = &'static str> {
        missing_scopes(self.scopes, granted)
    }
}

/// The first scope of each group of which none is granted.
pub(crate) fn missing_scopes(
    groups: &'static [AnyOf],
    granted: &[String],
) -> impl Iterator<Item = &'static str> {
    let is_granted = move |scope: &&str| granted.iter().any(|granted| granted == *scope);
    let lacks = move |group: &&AnyOf| !granted.is_empty() && !group.iter().any(is_granted);
    let missing = groups.iter().filter(lacks);
    missing.filter_map(|group| group.first().copied())
}

/// There is one of each name.
impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Action {}

impl Hash for Action {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Action").field(&self.name).finish()
    }
}

/// All actions, service by service.
pub fn all() -> impl Iterator<Item = &'static Action> {
    let services = [
        google::ACTIONS,
        stripe::ACTIONS,
        github::ACTIONS,
        twilio::ACTIONS,
        sendgrid::ACTIONS,
    ];
    services.into_iter().flatten()
}

/// The action of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Action> {
    all().find(|action| action.name == name)
}

/// Whether each is the name of an action, and none comes twice: a grant of what there is not would
/// look like one, and vendors refuse tools of the same name.
///
/// # Errors
/// Returns what a client is told.
pub fn are_names(names: &[String], (): &()) -> garde::Result {
    let distinct: BTreeSet<_> = names.iter().collect();
    if distinct.len() < names.len() {
        return Err(garde::Error::new("must name each action once"));
    }
    let is_known = |name: &String| name == KNOWLEDGE_SEARCH || find(name).is_some();
    match names.iter().all(is_known) {
        true => Ok(()),
        false => Err(garde::Error::new("must be names of actions")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_begin_with_the_service() {
        let names: HashSet<_> = all().map(|action| action.name).collect();
        assert_eq!(names.len(), all().count());
        for action in all() {
            let service = serde_json::to_value(action.service).unwrap();
            let prefix = format!("{}.", service.as_str().unwrap());
            assert!(action.name.starts_with(&prefix), "{}", action.name);
            assert_eq!(find(action.name).map(|found| found.name), Some(action.name));
        }
    }

    #[test]
    fn fields_are_distinct_and_leave_a_nodes_own_names_alone() {
        let own = [
            "label",
            "description",
            "ui",
            "timeoutSecs",
            "retry",
            "onError",
            "atMostOnce",
            "integration",
            "approval",
            "approvers",
        ];
        for action in all() {
            let names: HashSet<_> = action.fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), action.fields.len(), "{}", action.name);
            assert!(
                own.iter().all(|name| !names.contains(name)),
                "{}",
                action.name
            );
        }
    }

    /// What is changed here changes what happens after a crash, and whom workflows ask.
    #[test]
    fn what_acts_is_done_again_and_asked_for_as_here() {
        let acting = all().filter(|action| action.effect != Effect::Read);
        let acting: Vec<_> = acting
            .map(|action| (action.name, action.effect, action.asks_first))
            .collect();
        let expected = [
            ("google.gmail.send", Effect::Searched, true),
            ("google.calendar.create", Effect::Keyed, true),
            ("google.drive.create", Effect::Searched, false),
            ("google.docs.create", Effect::Searched, false),
            ("google.sheets.append", Effect::Once, false),
            ("stripe.charges.refund", Effect::Keyed, true),
            ("stripe.invoices.create", Effect::Keyed, true),
            ("stripe.invoices.send", Effect::Keyed, true),
            ("github.issues.create", Effect::Once, false),
            ("github.comments.create", Effect::Once, false),
            ("github.files.put", Effect::Once, true),
            ("twilio.sms.send", Effect::Once, true),
            ("sendgrid.mail.send", Effect::Once, true),
        ];
        assert_eq!(acting, expected);
    }

    #[test]
    fn of_each_group_of_scopes_one_is_enough() {
        let action = Action {
            scopes: &[&["a", "b"], &["c"]],
            ..*find("google.gmail.send").unwrap()
        };
        for (granted, missing) in [
            (&[][..], &[][..]),
            (&["x"], &["a", "c"]),
            (&["b"], &["c"]),
            (&["c"], &["a"]),
            (&["b", "c"], &[]),
        ] {
            let granted: Vec<_> = granted.iter().map(|&scope| scope.to_owned()).collect();
            let found: Vec<_> = action.missing_scopes(&granted).collect();
            assert_eq!(found, missing, "{granted:?}");
        }
    }

    #[test]
    fn what_only_reads_asks_nobody() {
        let asks = |action: &&Action| action.effect == Effect::Read && action.asks_first;
        assert_eq!(all().filter(asks).count(), 0);
    }
}
