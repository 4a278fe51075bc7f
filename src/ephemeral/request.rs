//! From a NodePublishVolume to what a pod asks for: everything that can be wrong with the request alone.

use std::collections::HashMap;

use super::target::TargetPath;
use super::{Attributes, InlineId, InlineVolume, KindName, Pod, Role, Secrets};
use crate::csi::v1;
use crate::csi::v1::volume_capability::{AccessType, MountVolume};
use crate::error::{Error, Result};
use crate::volume::{AccessMode, Capability};

/// How kubelet's own keys begin.
const KUBELET: &str = "csi.storage.k8s.io/";

/// The key of the pod's tokens, in the context or among the secrets.
pub const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// The attribute that says what the volume is.
const KIND: &str = "kind";

/// What all attributes of a volume may have together.
const MOST_BYTES: usize = 64 << 10;

/// A request, parsed.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) volume: InlineVolume,
    pub(super) target: TargetPath,
    /// Another one for whatever asks for something else.
    pub(super) digest: String,
}

// === impl Wish ===

impl Wish {
    /// Parses the request; `roots` are the paths by which kubelet's directory is known, and `takes_any_id` says whether
    /// the id may be one that kubelet does not give.
    pub(super) fn parse(
        role: Role,
        roots: &[&std::path::Path],
        takes_any_id: bool,
        request: v1::NodePublishVolumeRequest,
    ) -> Result<Self> {
        let id = required_id(&request.volume_id)?;
        if request.target_path.is_empty() {
            return Err(Error::invalid("target_path", "is required"));
        }
        let mode = Capability::required(request.volume_capability.as_ref())?.mode;
        let mount = mount(request.volume_capability.as_ref())?;
        let mut context = Context(request.volume_context);
        context.is_inline()?;
        let pod = context.pod()?;
        let target = TargetPath::parse(roots, &request.target_path)?;
        if target.pod() != pod.uid {
            let reason = format!("is not below the pod {}, whose volume this is", pod.uid);
            return Err(Error::invalid("target_path", reason));
        }
        let id = target.checked_id(id.as_ref(), takes_any_id)?;
        let tokens_in_context = context.0.remove(TOKENS).map(Into::into);
        let kind = context.kind(role)?;
        let attributes = context.attributes()?;
        let read_only = request.readonly || mode == AccessMode::SingleNodeReaderOnly;
        let fs_type = Some(mount.fs_type).filter(|name| !name.is_empty());
        let group = group(&mount.volume_mount_group)?;
        let all = attributes.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let others = [
            ("/kind", kind.to_string()),
            ("/readOnly", read_only.to_string()),
            ("/fsType", fs_type.clone().unwrap_or_default()),
            ("/group", mount.volume_mount_group),
        ];
        let others = others.into_iter().map(|(key, value)| (key.to_owned(), value));
        let digest = all.chain(others).collect::<Attributes>().digest();
        let volume = InlineVolume {
            id,
            kind,
            pod,
            attributes,
            secrets: Secrets::from(request.secrets),
            tokens_in_context,
            read_only,
            group,
            fs_type,
        };
        Ok(Self { volume, target, digest })
    }
}

/// Reads an id that must be there; nothing where it is none of ours.
pub(super) fn required_id(text: &str) -> Result<Option<InlineId>> {
    if text.is_empty() {
        return Err(Error::invalid("volume_id", "is required"));
    }
    Ok(InlineId::parse(text))
}

fn mount(capability: Option<&v1::VolumeCapability>) -> Result<MountVolume> {
    match capability.and_then(|capability| capability.access_type.clone()) {
        Some(AccessType::Mount(mount)) if mount.mount_flags.is_empty() => Ok(mount),
        Some(AccessType::Mount(_)) => {
            Err(Error::invalid("volume_capability", "an inline volume has no mount flags"))
        }
        Some(AccessType::Block(_)) | None => Err(Error::invalid(
            "volume_capability",
            "an inline volume is a directory and never a raw device: leave `fsType: block` out",
        )),
    }
}

fn group(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::invalid("volume_mount_group", "is not the number of a group");
    text.parse().ok().filter(|group| *group != u32::MAX).map(Some).ok_or_else(wrong)
}

/// The context of a request, from which one key after the other is taken.
struct Context(HashMap<String, String>);

// === impl Context ===

impl Context {
    /// Only where kubelet says who the pod is, it says so of an inline volume.
    fn is_inline(&mut self) -> Result<()> {
        match self.kubelet("ephemeral").as_deref() {
            Some("true") => Ok(()),
            Some(_) => Err(Error::invalid(
                "volume_context",
                "this driver serves volumes that a pod's own spec names, and no PersistentVolume",
            )),
            None => Err(Error::invalid(
                "volume_context",
                "csi.storage.k8s.io/ephemeral is missing: the CSIDriver object needs podInfoOnMount: true",
            )),
        }
    }

    fn pod(&mut self) -> Result<Pod> {
        Ok(Pod {
            namespace: self.of_pod("pod.namespace")?,
            name: self.of_pod("pod.name")?,
            uid: self.of_pod("pod.uid")?,
            service_account: self.of_pod("serviceAccount.name")?,
        })
    }

    fn of_pod(&mut self, key: &str) -> Result<String> {
        let found = self.kubelet(key).filter(|text| !text.is_empty());
        found.ok_or_else(|| {
            let reason = format!(
                "{KUBELET}{key} is missing: the CSIDriver object needs podInfoOnMount: true"
            );
            Error::invalid("volume_context", reason)
        })
    }

    fn kubelet(&mut self, key: &str) -> Option<String> {
        self.0.remove(&format!("{KUBELET}{key}"))
    }

    fn kind(&mut self, role: Role) -> Result<KindName> {
        let kinds = role.kinds();
        let names = || kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        match (self.0.remove(KIND), kinds) {
            (None, [only]) => Ok(*only),
            (None, _) => {
                let reason = format!("kind is required; {} has: {}", role.driver_name(), names());
                Err(Error::invalid("volume_attributes", reason))
            }
            (Some(text), _) => {
                let known = text.parse().ok().filter(|kind| kinds.contains(kind));
                known.ok_or_else(|| {
                    let driver = role.driver_name();
                    let reason = format!("kind: {driver} does not serve it; it has: {}", names());
                    Error::invalid("volume_attributes", reason)
                })
            }
        }
    }

    /// Returns what is left, which the user wrote.
    fn attributes(self) -> Result<Attributes> {
        if let Some(key) = self.0.keys().find(|key| key.starts_with(KUBELET)) {
            let reason = format!("{key}: such keys are kubelet's own");
            return Err(Error::invalid("volume_attributes", reason));
        }
        let attributes: Attributes = self.0.into_iter().collect();
        if attributes.len() > MOST_BYTES {
            let reason = format!("have {} bytes; {MOST_BYTES} are the most", attributes.len());
            return Err(Error::invalid("volume_attributes", reason));
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests;
