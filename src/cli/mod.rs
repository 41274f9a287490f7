//! The small commands of `postern`, for people at a terminal.
//!
//! Each module is one command: its arguments and `run`, which prints and returns the exit code. Other modules make the decisions
//! (`api`, `egress`, `signing`, `cron`).

pub mod check;
pub mod crds;
pub mod cron;
pub mod keygen;
pub mod operator;
pub mod uninstall;
pub mod verify;
