//! The sender as a pod runs it: the real binary on a folder, against TLS receivers on the loopback interface.

mod canaries;
mod delivering;
mod hostile_receivers;
mod refusing;
mod retrying;
mod signing;
mod stopping;
mod support;
mod tls;
