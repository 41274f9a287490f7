//! What installs Postern: the chart, the kustomize bases, and that both give the same. `installed` has how it works then.

mod chart;
mod internal_blocks;
mod kustomize;
pub mod objects;
mod older_values;
mod rbac;
