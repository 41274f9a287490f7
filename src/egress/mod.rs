//! Where a delivery may go: the rules for URLs, host names and addresses, and the look-up that obeys them.
