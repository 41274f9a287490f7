//! What installs and upgrades Postern: the chart, the kustomize bases, the CRDs; and how it works as installed.

mod chart;
mod installed;
mod kustomize;
pub mod objects;
mod older_crds;
mod older_values;
mod upgrade;
