//! The contract between the operator and the sender: what to do (`Delivery`) and what happened (`Outcome`).
