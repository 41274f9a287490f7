//! The small commands of `postern`, for people at a terminal.
