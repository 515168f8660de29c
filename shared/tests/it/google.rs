//! Google's adapters against servers on a local port that know Google's contracts.

mod oauth;
