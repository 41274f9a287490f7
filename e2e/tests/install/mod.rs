//! What installs Postern: the chart, the kustomize bases, that both give the same, and that nothing is left firing when it
//! goes. How it works once it is installed, `make demo` shows.

mod chart;
mod kustomize;
mod lifecycle;
mod objects;
mod rbac;
