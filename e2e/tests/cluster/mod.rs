//! What all other tests can rely on: how the test clusters start and end, and how they behave in between.

mod lifecycle;
mod promises;
