//! The small commands of `postern`, for people at a terminal.
//!
//! Each module has the arguments of one command and a `run` that prints and returns an exit code; what a command
//! decides is decided by the library, not here. The operator itself is not a small command.

pub mod keygen;
pub mod verify;
