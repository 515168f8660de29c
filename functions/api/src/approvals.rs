//! What runs ask people, and what people answer.

use serde_json::{Map, Value, json};
use shared::{
    audit::{Entry, Trail},
    graph::FieldType,
    ids::RecordId,
    models::{Approval, ApprovalStatus, AuditAction, Decision, Principal, Role, Timestamp, Wakeup},
    store::{self, Listing, Page, Store, Versioned, Write, commit_contended},
};

use crate::error::{Error, Problem, Refusal};

/// Longest form as JSON, in bytes: those of all who decide lie in one document.
const MAX_VALUES_BYTES: usize = 20_000;

/// Parts of the listing that are read at most for one page.
const MAX_READS: usize = 10;

/// What a person answers.
pub(crate) struct Answer {
    /// Whether for it.
    pub(crate) approves: bool,
    /// The form as it was filled in.
    pub(crate) values: Map<String, Value>,
    /// A word with it.
    pub(crate) comment: Option<String>,
}

/// The organization's approval.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    id: &RecordId,
) -> Result<Versioned<Approval>, Error> {
    let approval = store.find_approval(&principal.org_id, id).await?;
    approval.ok_or(Error::NotFound("approval"))
}

/// What nobody has decided and the caller's role may decide. A page may have fewer than its limit.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    page: &Page,
) -> Result<Listing<Approval>, Error> {
    let mut items = Vec::new();
    let mut rest = page.clone();
    for _ in 0..MAX_READS {
        let part = store
            .list_pending_approvals(&principal.org_id, &rest)
            .await?;
        let part_items = part.items.into_iter();
        items.extend(part_items.filter(|approval| is_for(approval, principal.role)));
        rest.limit = page.limit - u32::try_from(items.len()).unwrap_or(page.limit);
        rest.after = part.next;
        if rest.limit == 0 || rest.after.is_none() {
            break;
        }
    }
    let next = rest.after;
    Ok(Listing { items, next })
}

/// Whether the caller could answer now.
pub(crate) fn can_decide(approval: &Approval, principal: &Principal, now: Timestamp) -> bool {
    require_decider(approval, principal).is_ok()
        && own_decision(approval, principal).is_none()
        && require_open(approval, now).is_ok()
}

/// What the caller has answered.
pub(crate) fn own_decision<'a>(
    approval: &'a Approval,
    principal: &Principal,
) -> Option<&'a Decision> {
    let decider = Approval::decider(&approval.id, &principal.uid);
    let mut decisions = approval.decisions.iter();
    decisions.find(|decision| decision.decider == decider)
}

/// Keeps the caller's answer and records it; when that decides, the run is woken up. A repeat
/// changes nothing.
pub(crate) async fn decide(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &RecordId,
    answer: &Answer,
    now: Timestamp,
) -> Result<Approval, Error> {
    commit_contended(store, || async move {
        let mut approval = find(store, principal, id).await?;
        require_decider(&approval.value, principal)?;
        if let Some(earlier) = own_decision(&approval.value, principal) {
            answer.require_same(earlier)?;
            return Ok((Vec::new(), approval.value));
        }
        require_open(&approval.value, now)?;
        answer.check_form(&approval.value)?;
        let decision = answer.to_decision(&approval.value, principal, now);
        add(&mut approval.value, decision);
        let entry = entry(principal, &approval.value, answer);
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::approvals::replace(&approval)?);
        writes.extend(wakeup(&approval.value, now)?);
        Ok((writes, approval.value))
    })
    .await
}

impl Answer {
    fn require_same(&self, earlier: &Decision) -> Result<(), Error> {
        let is_same = self.approves == earlier.approves
            && self.comment == earlier.comment
            && earlier.values.0.as_object() == Some(&self.values);
        match is_same {
            true => Ok(()),
            false => Err(Refusal::AlreadyExists("you have decided otherwise before").into()),
        }
    }

    /// Who rejects need not fill the form in.
    fn check_form(&self, approval: &Approval) -> Result<(), Error> {
        let unknown = self.values.keys();
        let unknown = unknown.filter(|name| !approval.fields.contains_key(*name));
        let unknown = unknown.map(|name| problem(name, "there is no such field"));
        let expected = approval.fields.iter();
        let wrong = expected.filter_map(|(name, kind)| self.field_problem(name, kind));
        let mut problems: Vec<Problem> = unknown.chain(wrong).collect();
        if Value::from(self.values.clone()).to_string().len() > MAX_VALUES_BYTES {
            let message = format!("must be at most {MAX_VALUES_BYTES} bytes as JSON");
            problems = vec![Problem::new("values", message)];
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(problems)),
        }
    }

    fn field_problem(&self, name: &str, kind: &str) -> Option<Problem> {
        let Some(value) = self.values.get(name) else {
            return self.approves.then(|| problem(name, "missing field"));
        };
        let field_type: Option<FieldType> = serde_json::from_value(kind.into()).ok();
        let fits = field_type.is_some_and(|field_type| field_type.fits(value));
        (!fits).then(|| problem(name, format!("must be of type {kind}")))
    }

    fn to_decision(&self, approval: &Approval, principal: &Principal, now: Timestamp) -> Decision {
        Decision {
            decider: Approval::decider(&approval.id, &principal.uid),
            approves: self.approves,
            values: Value::from(self.values.clone()).into(),
            comment: self.comment.clone(),
            at: now,
        }
    }
}

/// A viewer decides nothing, whatever the document says.
fn is_for(approval: &Approval, role: Role) -> bool {
    role != Role::Viewer && approval.roles.contains(&role)
}

fn require_decider(approval: &Approval, principal: &Principal) -> Result<(), Error> {
    if !is_for(approval, principal.role) {
        return Err(Refusal::Denied("your role may not decide this").into());
    }
    let decider = Approval::decider(&approval.id, &principal.uid);
    if approval.excluded.as_ref() == Some(&decider) {
        return Err(Refusal::Denied("whoever started the run may not decide this").into());
    }
    Ok(())
}

/// What is too late is left as it is: the engine goes on with it.
fn require_open(approval: &Approval, now: Timestamp) -> Result<(), Error> {
    let is_late = approval.expires_at.is_some_and(|end| end <= now);
    let message = match approval.status {
        ApprovalStatus::Pending if is_late => "the time to decide is over",
        ApprovalStatus::Pending => return Ok(()),
        ApprovalStatus::Approved | ApprovalStatus::Rejected => "this has been decided",
        ApprovalStatus::Expired => "the time to decide is over",
        ApprovalStatus::Cancelled => "the run has ended",
    };
    Err(Error::Precondition(message))
}

fn add(approval: &mut Approval, decision: Decision) {
    let approves = decision.approves;
    approval.decisions.push(decision);
    if !approves {
        approval.status = ApprovalStatus::Rejected;
    } else if approvals(approval) >= approval.required {
        approval.status = ApprovalStatus::Approved;
    }
}

/// How many have approved.
pub(crate) fn approvals(approval: &Approval) -> i64 {
    let decisions = approval.decisions.iter();
    let count = decisions.filter(|decision| decision.approves).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The execution's document is its worker's: the engine reads the approval when it is woken up.
fn wakeup(approval: &Approval, now: Timestamp) -> Result<Option<Write>, Error> {
    if approval.status == ApprovalStatus::Pending {
        return Ok(None);
    }
    let wakeup = Wakeup {
        id: RecordId::derive(&["approved", approval.id.as_str()]),
        org_id: approval.org_id.clone(),
        execution_id: approval.execution_id.clone(),
        created_at: now,
    };
    Ok(Some(store::wakeups::set(&wakeup)?))
}

fn problem(name: &str, message: impl Into<String>) -> Problem {
    Problem::new(format!("values.{name}"), message)
}

fn entry(principal: &Principal, approval: &Approval, answer: &Answer) -> Entry {
    let context = json!({
        "approvalId": approval.id,
        "executionId": approval.execution_id,
        "nodeId": approval.node_id,
        "decision": if answer.approves { "approve" } else { "reject" },
    });
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, actor_id, AuditAction::ApprovalDecide, context)
}
