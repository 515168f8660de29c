use std::sync::Arc;

use crate::{
    config::Env,
    crypto::LocalMac,
    invitation::{AppUrl, Links, Tokens},
};

/// Where the links of tests lead.
pub const APP_URL: &str = "https://app.example.com";

/// Links of invitations, made with the key of [`trail`](super::trail).
///
/// # Panics
/// Never: the address is a valid one.
#[must_use]
pub fn invitation_links() -> Links {
    let Ok(app_url) = AppUrl::load(&Env::from_pairs([("APP_URL", APP_URL)])) else {
        unreachable!("the address is a valid one");
    };
    Links::new(Tokens::new(Arc::new(LocalMac::new("test".into()))), app_url)
}
