//! Which object controls which, by UIDs: anyone can choose names and labels.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;

/// An object's controller; the API server doesn't allow a second one.
pub(crate) fn controller_of(object: &impl ResourceExt) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

/// Whether an object's controller is the object with this UID.
pub(crate) fn is_controlled_by(object: &impl ResourceExt, uid: Option<&str>) -> bool {
    uid.is_some() && controller_of(object).map(|owner| owner.uid.as_str()) == uid
}
