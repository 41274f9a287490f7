//! A delivery's folder and a receiver for it.

mod certificates;
mod folder;
pub(crate) mod receiver;

pub(crate) use certificates::Certificates;
pub(crate) use folder::{Folder, Ran, now, secret};
pub(crate) use receiver::{OK, Receiver};
