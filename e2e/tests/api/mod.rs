//! How the API server itself treats a `WebhookSchedule` or `WebhookTier`, before any operator sees it: which fields it fills in,
//! and what it refuses with which words.

mod body;
mod headers;
mod kubectl;
mod ranges;
mod references;
mod schedule;
mod signing;
mod status;
pub mod submit;
mod tier;
