//! The small commands of `postern`, for people at a terminal.
//!
//! Each reads arguments, files and the clock, asks a module that does none of that, and prints. Exit codes are the
//! same for all: 0 when all is well, 1 when something is refused, 2 when the command was called wrongly.

pub mod cron;
