use serde::Deserialize;

use super::call::{Session, read};
use crate::connectors::{Account, Error};

/// `Userinfo` of <https://www.googleapis.com/discovery/v1/apis/oauth2/v2/rest>.
#[derive(Deserialize)]
struct UserInfo {
    id: Option<String>,
    email: Option<String>,
}

/// Whose tokens they are.
pub(super) async fn find(session: &Session<'_>) -> Result<Account, Error> {
    let request = session.get(&session.config.apis, "/oauth2/v2/userinfo");
    let user: UserInfo = read(request).await?;
    Ok(Account {
        id: user.id,
        label: user.email.as_deref().map_or_else(unnamed, mask),
        // Told at consent and at each refresh.
        scopes: Vec::new(),
    })
}

/// `ada@example.com` as `a…@example.com`.
fn mask(email: &str) -> String {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return unnamed();
    };
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

fn unnamed() -> String {
    "Google account".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_shows_the_first_letter_and_the_domain() {
        let rows = [
            ("ada@example.com", "a…@example.com"),
            ("ä@example.com", "ä…@example.com"),
            ("@example.com", "…@example.com"),
            ("nobody", "Google account"),
        ];
        for (email, label) in rows {
            assert_eq!(mask(email), label);
        }
    }
}
