use std::{marker::PhantomData, sync::Arc};

use ::http::request::Parts;
use axum::extract::{FromRef, FromRequestParts};

use super::{
    bearer::bearer_token,
    error::{ApiError, Code},
    rate_limit::limit_user,
};
use crate::{
    audit::Trail,
    auth::{self, Action, Claims, TokenVerifier},
    clock::SharedClock,
    models::{Principal, User},
    provision::{self, NewUser},
    rate_limit::RateLimits,
    store::Store,
};

/// Turns an ID token into a [`Principal`].
///
/// The user's document is read for every request, so that a demotion, a lock-out or the end of all
/// sessions takes effect at once. It is made on the first call if the sign-up event has not
/// arrived yet.
#[derive(Clone)]
pub struct Authenticator {
    verifier: Arc<dyn TokenVerifier>,
    store: Store,
    trail: Trail,
    clock: SharedClock,
    limits: Option<RateLimits>,
}

impl Authenticator {
    /// An authenticator on these ports.
    #[must_use]
    pub fn new(
        verifier: Arc<dyn TokenVerifier>,
        store: Store,
        trail: Trail,
        clock: SharedClock,
    ) -> Self {
        Self {
            verifier,
            store,
            trail,
            clock,
            limits: None,
        }
    }

    /// The same with a limit of how often a user may come, if there is one.
    #[must_use]
    pub fn with_limits(self, limits: Option<RateLimits>) -> Self {
        Self { limits, ..self }
    }

    /// The caller's token, verified. The request is counted as its user's, once.
    ///
    /// # Errors
    /// Returns `unauthenticated`, `unavailable` when the keys cannot be had, or `resource_exhausted`
    /// when the user has come too often.
    pub async fn authenticate(&self, parts: &mut Parts) -> Result<Claims, ApiError> {
        let claims = self.verify(parts).await?;
        self.count(&claims, parts).await?;
        Ok(claims)
    }

    async fn verify(&self, parts: &Parts) -> Result<Claims, ApiError> {
        let token = bearer_token(&parts.headers).ok_or(auth::Error::Malformed)?;
        Ok(self.verifier.verify(token).await?)
    }

    async fn count(&self, claims: &Claims, parts: &mut Parts) -> Result<(), ApiError> {
        match &self.limits {
            Some(limits) => limit_user(limits, &claims.uid, parts).await,
            None => Ok(()),
        }
    }

    async fn load_user(&self, claims: &Claims) -> Result<User, ApiError> {
        if let Some(user) = self.store.find_user(&claims.uid).await? {
            return Ok(user.value);
        }
        let now = self.clock.now().into();
        let provisioned = provision::ensure_user(&self.store, &self.trail, claims.into(), now);
        let provisioned = provisioned.await?;
        Ok(provisioned.user)
    }

    async fn sign_in(&self, parts: &mut Parts) -> Result<SignedIn, ApiError> {
        let claims = self.verify(parts).await?;
        let user = self.load_user(&claims).await?;
        if user.has_ended(claims.auth_time) {
            return Err(ApiError::new(
                Code::Unauthenticated,
                "this session was ended, sign in again",
            ));
        }
        if user.disabled {
            return Err(ApiError::new(
                Code::PermissionDenied,
                "this account is disabled",
            ));
        }
        // Last, so that the token of an ended session takes nothing from its user.
        self.count(&claims, parts).await?;
        let principal = Principal {
            uid: user.uid,
            org_id: user.organization_id,
            role: user.role,
        };
        Ok(SignedIn { principal, claims })
    }
}

impl From<&Claims> for NewUser {
    fn from(claims: &Claims) -> Self {
        Self {
            uid: claims.uid.clone(),
            email: claims.email.clone(),
            email_verified: claims.email_verified,
            display_name: claims.name.clone(),
        }
    }
}

/// What a caller's token says, whether or not there is a user of it.
#[derive(Debug)]
pub struct Verified(pub Claims);

impl<S> FromRequestParts<S> for Verified
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let claims = Authenticator::from_ref(state).authenticate(parts).await?;
        Ok(Self(claims))
    }
}

/// A caller with what its token says, for what depends on more than the user's document.
#[derive(Debug)]
pub struct SignedIn {
    /// The caller.
    pub principal: Principal,
    /// Its token.
    pub claims: Claims,
}

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Authenticator::from_ref(state).sign_in(parts).await
    }
}

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = SignedIn::from_request_parts(parts, state).await?;
        Ok(caller.principal)
    }
}

/// What a route needs the caller to be allowed to do.
pub trait Permission {
    /// The action.
    const ACTION: Action;
}

/// A caller whose role allows the action `P`.
#[derive(Debug)]
pub struct Allowed<P>(pub Principal, PhantomData<P>);

impl<P, S> FromRequestParts<S> for Allowed<P>
where
    P: Permission,
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, state).await?;
        if auth::is_allowed(principal.role, P::ACTION) {
            return Ok(Self(principal, PhantomData));
        }
        Err(ApiError::new(
            Code::PermissionDenied,
            "your role does not allow this",
        ))
    }
}

/// Actions as types, for [`Allowed`].
pub mod can {
    use super::{Action, Permission};

    macro_rules! permissions {
        ($($name:ident),* $(,)?) => {
            $(
                #[doc = concat!("Requires [`Action::", stringify!($name), "`].")]
                #[derive(Debug)]
                pub enum $name {}

                impl Permission for $name {
                    const ACTION: Action = Action::$name;
                }
            )*
        };
    }

    permissions!(
        AskModels,
        ReadLlmRoutes,
        EditLlmRoutes,
        ReadAgents,
        CreateAgent,
        UpdateAgent,
        BeatAgent,
        DeployAgent,
        DeleteAgent,
        TalkToAgents,
        ReadMemories,
        DeleteMemories,
        SearchKnowledge,
        TrainAgents,
        ReadWorkflows,
        EditWorkflow,
        DeleteWorkflow,
        TriggerWorkflow,
        ReadExecutions,
        CancelExecution,
        DeleteExecution,
        ReadApprovals,
        DecideApproval,
        ReadWebhooks,
        ReadIntegrations,
        ConnectIntegration,
        SyncIntegration,
        ShareKnowledge,
        ReadUsage,
        ReadOrganization,
        RenameOrganization,
        ReadBilling,
        ManageBilling,
        ReadMembers,
        UpdateMember,
        RemoveMember,
        InviteMember,
        ReadInvitations,
        RevokeInvitation,
        ReadAudit,
        ExportAudit,
    );
}
