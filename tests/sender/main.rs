//! The sender as a pod runs it: the real binary on a folder, against TLS receivers on the loopback interface.

#![allow(clippy::unwrap_used, reason = "a test fails where its helpers can't go on")]

mod canaries;
mod checking;
mod delivering;
mod dns;
mod early_answers;
mod folder;
mod hostile_receivers;
mod name_servers;
mod network;
mod on_the_dot;
mod receivers;
mod refusing;
mod retrying;
mod sample;
mod signing;
mod sloppy_receivers;
mod stopping;
mod tls;
mod values;
