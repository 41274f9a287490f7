//! An HTTPS receiver that writes down what it receives and answers as a test tells it to, and the certificates for it. Tests of
//! the sender have one on the loopback interface, tests on a cluster on its internet.
//!
//! It knows nothing of Postern, and nothing of HTTP but what a delivery needs: one request a connection, with a
//! `Content-Length`.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails where its receiver can't go on")]
#![allow(clippy::must_use_candidate, reason = "tests alone call it")]

mod certificates;
mod receiver;
mod request;

pub use certificates::Certificates;
pub use receiver::{OK, Receiver, Stream};
pub use request::Request;
