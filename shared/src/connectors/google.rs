//! Google Workspace: consent and tokens, and the calls of Gmail, Calendar, Drive, Docs and Sheets.

mod http;
pub mod oauth;
