//! Cron schedules: parsing, `H`, next times, the smallest gap.
