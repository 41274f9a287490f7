//! What the API server itself says to a `WebhookSchedule` or `WebhookTier`, before any operator looks: what it fills in,
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
