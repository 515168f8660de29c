use async_trait::async_trait;

use crate::auth::{Error, ServiceAccount, ServiceTokenVerifier};

/// A verifier for which a token says what it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestServiceVerifier;

impl TestServiceVerifier {
    /// The token of an account that may call.
    pub const EXPECTED: &str = "expected";
    /// The token of another account.
    pub const FOREIGN: &str = "foreign";
    /// A token that cannot be verified now, because there are no keys.
    pub const UNDECIDED: &str = "undecided";
}

#[async_trait]
impl ServiceTokenVerifier for TestServiceVerifier {
    async fn verify(&self, token: &str) -> Result<ServiceAccount, Error> {
        match token {
            Self::EXPECTED => Ok(ServiceAccount {
                email: "events@demo.iam.gserviceaccount.com".to_owned(),
            }),
            Self::FOREIGN => Err(Error::ServiceAccount),
            Self::UNDECIDED => Err(Error::KeysUnavailable("no keys".into())),
            _ => Err(Error::Signature),
        }
    }
}
