use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use shared::{
    ids::Uid,
    store::{Listing, Page, is_position},
};

use crate::error::{Error, Problem};

/// Items on a page when the client does not say.
const DEFAULT_LIMIT: u32 = 20;

/// Most items on a page.
const MAX_LIMIT: u32 = 100;

/// The page of `listing` that a client asks for.
///
/// A token is opaque, and good only for the listing that gave it.
pub(crate) fn parse(listing: &str, limit: Option<u32>, token: Option<&str>) -> Result<Page, Error> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let problem = Problem::new("limit", format!("must be 1 to {MAX_LIMIT}"));
        return Err(Error::Invalid(vec![problem]));
    }
    let after = token.map(|token| parse_token(listing, token).ok_or_else(foreign_token));
    Ok(Page {
        limit,
        after: after.transpose()?,
    })
}

/// The same for a listing that is ordered by time.
pub(crate) fn parse_by_time(
    listing: &str,
    limit: Option<u32>,
    token: Option<&str>,
) -> Result<Page, Error> {
    parse_by(is_position, listing, limit, token)
}

/// The same for a listing whose positions can be told from others.
pub(crate) fn parse_by(
    is_position: fn(&str) -> bool,
    listing: &str,
    limit: Option<u32>,
    token: Option<&str>,
) -> Result<Page, Error> {
    let page = parse(listing, limit, token)?;
    match &page.after {
        Some(position) if !is_position(position) => Err(foreign_token()),
        _ => Ok(page),
    }
}

/// The token of the page after `page`, if there is one.
pub(crate) fn next_token<T>(listing: &str, page: &Listing<T>) -> Option<String> {
    let position = page.next.as_deref()?;
    Some(URL_SAFE_NO_PAD.encode(format!("{listing}/{position}")))
}

fn foreign_token() -> Error {
    let problem = Problem::new("pageToken", "must be a `nextPageToken` of this listing");
    Error::Invalid(vec![problem])
}

/// Positions are made of identifiers, of which uids are the widest, and become part of a query.
fn parse_token(listing: &str, token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let position = text.strip_prefix(listing)?.strip_prefix('/')?;
    Uid::parse(position).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(listing: &str, position: &str) -> String {
        let page: Listing<()> = Listing {
            items: Vec::new(),
            next: Some(position.to_owned()),
        };
        next_token(listing, &page).unwrap()
    }

    #[test]
    fn a_token_leads_back_to_its_position() {
        let token = token("agents", "a1");
        let page = parse("agents", None, Some(&token)).unwrap();
        assert_eq!((page.limit, page.after.as_deref()), (20, Some("a1")));
    }

    #[test]
    fn a_position_that_is_no_time_is_refused_in_a_listing_by_time() {
        let at = |position: &str| parse_by_time("audit", None, Some(&token("audit", position)));
        assert!(at("1795435200000000_r1").is_ok());
        for position in ["r1", "x_r1", "1795435200000000", "99999999999999999999_r1"] {
            assert!(at(position).is_err(), "{position}");
        }
    }

    #[test]
    fn tokens_of_another_listing_or_of_nobody_are_refused() {
        let foreign = token("workflows", "a1");
        let path = token("agents", "a/b");
        for token in [foreign.as_str(), path.as_str(), "", "%", "YWdlbnRz"] {
            let error = parse("agents", None, Some(token)).unwrap_err();
            assert!(matches!(&error, Error::Invalid(problems) if problems[0].field == "pageToken"));
        }
    }

    #[test]
    fn limits_out_of_range_are_refused() {
        assert!(parse("agents", Some(100), None).is_ok());
        for limit in [0, 101] {
            assert!(parse("agents", Some(limit), None).is_err(), "{limit}");
        }
    }
}
