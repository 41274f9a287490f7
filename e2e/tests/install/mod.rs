//! Everything that installs and upgrades Postern: the chart, the kustomize bases, the CRDs; and how it works once installed.

mod chart;
pub mod installed;
mod kustomize;
pub mod objects;
mod older_crds;
mod older_values;
mod upgrade;
