//! What a row becomes when it is sent: recipient and content are as they are then.

use secrecy::ExposeSecret;

use crate::{
    email::{self, Address, Email},
    ids::{IntegrationId, OrgId, RecordId, Uid},
    invitation::{self, Links},
    models::{
        BillingNotice, IntegrationService, IntegrationStatus, Invitation, OutboxMessage, OutboxRow,
        Timestamp, User,
    },
    store::{Error, Store, Versioned},
};

/// Makes e-mails of rows.
#[derive(Clone)]
pub(super) struct Composer {
    pub(super) store: Store,
    pub(super) links: Links,
}

/// Why there is no e-mail, as a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It can never be.
    Permanent(&'static str),
    /// It may be later.
    Passing(&'static str),
}

const NO_RECIPIENT: Obstacle = Obstacle::Permanent("no_recipient");

impl Composer {
    pub(super) async fn compose(
        &self,
        row: &OutboxRow,
        now: Timestamp,
    ) -> Result<Result<Email, Obstacle>, Error> {
        match &row.message {
            OutboxMessage::WelcomeEmail { uid } => self.welcome(row, uid).await,
            OutboxMessage::Invitation { invitation_id } => {
                self.invitation(row, invitation_id, now).await
            }
            OutboxMessage::BrokenIntegration { integration_id } => {
                self.broken_integration(row, integration_id).await
            }
            OutboxMessage::UsageAlert {
                uid,
                limit,
                percent,
                period,
            } => self.usage_alert(row, uid, (limit, *percent, period)).await,
            OutboxMessage::BillingNotice { uid, notice } => {
                self.billing_notice(row, uid, notice).await
            }
        }
    }

    async fn welcome(&self, row: &OutboxRow, uid: &Uid) -> Result<Result<Email, Obstacle>, Error> {
        let user = self.store.find_user(uid).await?;
        let Some(address) = address_of(user) else {
            return Ok(Err(NO_RECIPIENT));
        };
        let content = email::welcome(&self.organization_name(&row.org_id).await?);
        Ok(email(row, &address, "Welcome to Infinity X", content))
    }

    async fn invitation(
        &self,
        row: &OutboxRow,
        id: &RecordId,
        now: Timestamp,
    ) -> Result<Result<Email, Obstacle>, Error> {
        let Some(invitation) = self.standing_invitation(&row.org_id, id, now).await? else {
            return Ok(Err(Obstacle::Permanent("invitation_gone")));
        };
        let link = match self.links.find(&invitation).await {
            Ok(Some(link)) => link,
            Ok(None) => return Ok(Err(Obstacle::Permanent("invitation_key_changed"))),
            // It ends when the invitation does.
            Err(_) => return Ok(Err(Obstacle::Passing("key_unavailable"))),
        };
        let name = self.organization_name(&row.org_id).await?;
        let (role, ends) = (invitation.role.as_str(), day(invitation.expires_at));
        let content = email::invitation(&name, role, &ends, link.expose_secret());
        // Clients may have put anything into the name, and a subject is one line.
        let name = name.replace(char::is_control, " ");
        let subject = format!("You are invited to {name}");
        Ok(email(row, &invitation.email, &subject, content))
    }

    /// To the owner, as long as it is a member: what it has connected is nobody else's business.
    async fn broken_integration(
        &self,
        row: &OutboxRow,
        id: &IntegrationId,
    ) -> Result<Result<Email, Obstacle>, Error> {
        let found = self.store.find_integration(&row.org_id, id).await?;
        let broken = found.filter(|found| found.value.status == IntegrationStatus::Error);
        let Some(integration) = broken.map(|found| found.value) else {
            return Ok(Err(Obstacle::Permanent("integration_works")));
        };
        let owner = &integration.owner_uid;
        let owner = self.store.find_member(&row.org_id, owner).await?;
        let Some(address) = address_of(owner) else {
            return Ok(Err(NO_RECIPIENT));
        };
        let (service, account) = (service_name(integration.service), integration.account_label);
        let link = self.links.integrations();
        let content = email::broken_integration(service, &account, &link);
        let subject = format!("Infinity X has lost access to {service}");
        Ok(email(row, &address, &subject, content))
    }

    /// To an admin, as long as it is a member.
    async fn usage_alert(
        &self,
        row: &OutboxRow,
        uid: &Uid,
        (limit, percent, period): (&str, i64, &str),
    ) -> Result<Result<Email, Obstacle>, Error> {
        let admin = self.store.find_member(&row.org_id, uid).await?;
        let Some(address) = address_of(admin) else {
            return Ok(Err(NO_RECIPIENT));
        };
        let name = self.organization_name(&row.org_id).await?;
        let (limit, consequence) = limit_words(limit, percent);
        let share = percent.to_string();
        let content = email::usage_alert(&name, limit, &share, period, consequence);
        let subject = format!("{share} % of {limit} used in {period}");
        Ok(email(row, &address, &subject, content))
    }

    /// To an admin, as long as it is a member.
    async fn billing_notice(
        &self,
        row: &OutboxRow,
        uid: &Uid,
        notice: &BillingNotice,
    ) -> Result<Result<Email, Obstacle>, Error> {
        let admin = self.store.find_member(&row.org_id, uid).await?;
        let Some(address) = address_of(admin) else {
            return Ok(Err(NO_RECIPIENT));
        };
        let name = self.organization_name(&row.org_id).await?;
        let (subject, text) = notice_words(notice);
        let content = email::billing_notice(&name, &subject, &text);
        Ok(email(row, &address, &subject, content))
    }

    async fn standing_invitation(
        &self,
        org_id: &OrgId,
        id: &RecordId,
        now: Timestamp,
    ) -> Result<Option<Invitation>, Error> {
        let Some(invitation) = self.store.find_invitation(org_id, id).await? else {
            return Ok(None);
        };
        let stands = invitation::stands(&self.store, &invitation.value, now).await?;
        Ok(stands.then_some(invitation.value))
    }

    async fn organization_name(&self, org_id: &OrgId) -> Result<String, Error> {
        let organization = self.store.find_organization(org_id).await?;
        let name = organization.map(|organization| organization.value.name);
        Ok(name.unwrap_or_default())
    }
}

/// Who is locked out gets no mail.
fn address_of(user: Option<Versioned<User>>) -> Option<String> {
    let user = user?.value;
    user.email.filter(|_| !user.disabled)
}

/// What a limit is called, and what its use leads to.
fn limit_words(limit: &str, percent: i64) -> (&'static str, &'static str) {
    let refused = "Agents and workflows cannot ask language models until the month ends or an \
                   admin raises the limit.";
    let warned = "When all of it is used, agents and workflows cannot ask language models until \
                  the month ends.";
    let consequence = if percent >= 100 { refused } else { warned };
    match limit {
        "includedTokens" => (
            "the included tokens",
            "What is used above them may be charged by the plan's rates. Tokens of your own keys are \
             in this sum, but are not charged.",
        ),
        "monthlyCostMicroUsd" => ("the monthly budget", consequence),
        _ => ("the monthly tokens", consequence),
    }
}

/// What happened to a subscription, and what follows.
fn notice_words(notice: &BillingNotice) -> (String, String) {
    match notice {
        BillingNotice::PaymentFailed => (
            "A payment has failed".to_owned(),
            "We could not collect the last payment. It is tried again in the next days, and the plan \
             stays as it is meanwhile. Please check the means of payment in the billing settings: \
             when no attempt succeeds, the organization goes on with the free plan."
                .to_owned(),
        ),
        BillingNotice::TrialEnding => (
            "The trial ends soon".to_owned(),
            "The trial ends in about three days. With a means of payment in the billing settings the \
             plan goes on; without one the organization goes on with the free plan."
                .to_owned(),
        ),
        BillingNotice::TierLowered { from, to } => {
            let text = format!(
                "The plan is {to} now; it was {from}. Agents above its limit rest, the newest first, \
                 and connected Google accounts are not read if it does not include them. Nothing is \
                 deleted: with a larger plan all of it works again."
            );
            (format!("The plan is {to} now"), text)
        }
        BillingNotice::BoughtTwice => (
            "Two subscriptions were paid".to_owned(),
            "Two pages were paid at about the same time. The better plan goes on, of equal ones the \
             one that was paid first. The other subscription is ended, and what was paid for the rest \
             of its period is credit that the next invoices use up. Tokens above the plan are not \
             charged twice."
                .to_owned(),
        ),
    }
}

fn service_name(service: IntegrationService) -> &'static str {
    match service {
        IntegrationService::Google => "Google Workspace",
        IntegrationService::Stripe => "Stripe",
        IntegrationService::Github => "GitHub",
        IntegrationService::Twilio => "Twilio",
        IntegrationService::Sendgrid => "SendGrid",
        IntegrationService::Openai => "OpenAI",
        IntegrationService::Anthropic => "Anthropic",
        IntegrationService::Gemini => "Gemini",
    }
}

/// The UTC day.
fn day(instant: Timestamp) -> String {
    instant.instant().strftime("%Y-%m-%d").to_string()
}

fn email(
    row: &OutboxRow,
    address: &str,
    subject: &str,
    (text, html): (String, String),
) -> Result<Email, Obstacle> {
    let to = Address::parse(address).map_err(|_| Obstacle::Permanent("invalid_recipient"))?;
    Email::new(to, subject, text, html, row.id.as_str())
        .map_err(|_| Obstacle::Permanent("invalid_email"))
}
