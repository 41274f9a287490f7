//! What the test clusters promise to all other tests: how they start and end, and what they are like in between.

mod lifecycle;
mod promises;
