//! What the CronJobs run: one delivery.

fn main() {}
