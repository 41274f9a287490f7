//! What installs Postern: the chart, the kustomize bases, and that both give the same. How it works once it is installed,
//! `make demo` shows.

mod chart;
mod kustomize;
mod objects;
mod rbac;
