//! Fixtures that the tests of several rooms share.

#[cfg(test)]
pub(crate) mod attack;
#[cfg(test)]
pub(crate) mod crds;
#[cfg(test)]
pub(crate) mod fake_api;
#[cfg(test)]
pub(crate) mod objects;
