use secrecy::{ExposeSecret, SecretString};

use super::{AppUrl, Token, Tokens};
use crate::{crypto, models::Invitation};

/// Makes the links that invitations are accepted by.
#[derive(Clone)]
pub struct Links {
    tokens: Tokens,
    app_url: AppUrl,
}

impl Links {
    /// Links into the application, with tokens of this maker.
    #[must_use]
    pub fn new(tokens: Tokens, app_url: AppUrl) -> Self {
        Self { tokens, app_url }
    }

    /// The page of the integrations.
    #[must_use]
    pub fn integrations(&self) -> String {
        self.app_url.integrations()
    }

    /// The link of an invitation; none when its token was made with another key.
    ///
    /// # Errors
    /// Returns the error of the key.
    pub async fn find(
        &self,
        invitation: &Invitation,
    ) -> Result<Option<SecretString>, crypto::Error> {
        let token = self.tokens.make(&invitation.org_id, &invitation.id).await?;
        let is_its_own =
            Token::parse(token.expose_secret()).is_some_and(|token| token.opens(invitation));
        Ok(is_its_own.then(|| self.app_url.acceptance(&token)))
    }
}
