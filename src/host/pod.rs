//! Which pod a path belongs to, and which control group is that pod's: kubelet's ways of naming both.

use std::path::Path;

/// The identity that Kubernetes gives a pod once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PodUid(String);

// === impl PodUid ===

impl PodUid {
    /// Returns the pod whose volume is visible at the path, or nothing when kubelet would not put a pod's there.
    ///
    /// A file system is published at `…/pods/<uid>/volumes/kubernetes.io~csi/<pv>/mount`, pieces of it are bound
    /// below `…/pods/<uid>/volume-subpaths`, a raw device is published at `…/volumeDevices/publish/<pv>/<uid>`.
    pub(super) fn of_target(path: &Path) -> Option<Self> {
        let names: Vec<&str> = path.iter().map(|name| name.to_str().unwrap_or_default()).collect();
        let uid = match names.as_slice() {
            [.., "volumeDevices", "publish", _volume, uid] => Some(*uid),
            names => names.windows(3).rev().find_map(|three| match three {
                ["pods", uid, "volumes" | "volumeDevices" | "volume-subpaths"] => Some(*uid),
                _ => None,
            }),
        };
        Self::parse(uid?)
    }

    /// Returns the pod whose control group has this path in its hierarchy, or nothing when it is not one that
    /// kubelet makes for a pod as a whole.
    ///
    /// With the driver `cgroupfs` it is `…/kubepods[/burstable|/besteffort]/pod<uid>`, with `systemd`
    /// `…/kubepods[-burstable|-besteffort].slice/kubepods[-…]-pod<uid>.slice` with underscores in the uid and,
    /// where kubelet has a root of its own, that root's name in front.
    pub(super) fn of_group(path: &Path) -> Option<Self> {
        let mut names = path.iter().rev().map(|name| name.to_str().unwrap_or_default());
        let (own, around) = (names.next()?, names.next()?);
        if let Some(slice) = own.strip_suffix(".slice") {
            let (outer, uid) = slice.rsplit_once("-pod")?;
            let is_inside = around.strip_suffix(".slice") == Some(outer);
            return (is_inside && is_kubepods(outer))
                .then(|| Self::parse(&uid.replace('_', "-")))?;
        }
        let outer = if is_class(around) { names.next()? } else { around };
        (outer == "kubepods").then(|| Self::parse(own.strip_prefix("pod")?))?
    }

    fn parse(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_plain && !text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Display for PodUid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The classes of service that have a group of their own; the guaranteed pods lie beside them.
fn is_class(name: &str) -> bool {
    ["burstable", "besteffort"].contains(&name)
}

/// Says whether a slice, without its ending, is that of all pods or of one class of them.
fn is_kubepods(slice: &str) -> bool {
    let all =
        slice.rsplit_once('-').filter(|(_, class)| is_class(class)).map_or(slice, |(all, _)| all);
    all == "kubepods" || all.ends_with("-kubepods")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0c1f2a54-9d1e-4a5b-8a77-2f6d3f1c0b11";

    #[test]
    fn a_target_tells_its_pod() {
        for (path, expected) in [
            ("/var/lib/kubelet/pods/UID/volumes/kubernetes.io~csi/pvc-1/mount", true),
            ("/data/kubelet/pods/UID/volumes/kubernetes.io~csi/pvc-1/mount", true),
            ("/var/lib/kubelet/pods/UID/volume-subpaths/pvc-1/app/0", true),
            ("/var/lib/kubelet/pods/UID/volumeDevices/kubernetes.io~csi/pvc-1", true),
            ("/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/pvc-1/UID", true),
            ("/var/lib/kubelet/plugins/kubernetes.io/csi/csi.orlop.dev/ab12/globalmount", false),
            ("/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/staging/pvc-1", false),
            ("/var/lib/kubelet/pods/UID/etc-hosts", false),
            ("/var/lib/kubelet/pods/U_I.D/volumes/kubernetes.io~csi/pvc-1/mount", false),
            ("/tmp/csi-mount/target", false),
            ("/", false),
        ] {
            let path = path.replace("UID", UID);
            let expected = expected.then(|| PodUid(UID.to_owned()));
            assert_eq!(PodUid::of_target(Path::new(&path)), expected, "{path}");
        }
    }

    #[test]
    fn a_group_is_a_pods_only_where_kubelet_makes_it() {
        for (path, expected) in [
            ("kubepods/podUID", true),
            ("kubepods/burstable/podUID", true),
            ("rig/kubepods/besteffort/podUID", true),
            ("kubepods.slice/kubepods-podU_D.slice", true),
            ("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice", true),
            (
                "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_D.slice",
                true,
            ),
            // What is not the pod as a whole, or only looks like it.
            ("kubepods/burstable/podUID/container", false),
            ("kubepods/burstable", false),
            ("kubepods", false),
            ("podUID", false),
            ("mine/podUID", false),
            ("mine/burstable/podUID", false),
            ("kubepods/burstable/extra/podUID", false),
            ("kubepods/UID", false),
            ("kubepods/pod", false),
            ("kubepods.slice/kubepods-burstable-podU_D.slice", false),
            ("kubepods-burstable.slice/kubepods-podU_D.slice", false),
            ("mine.slice/mine-podU_D.slice", false),
            ("mykubepods.slice/mykubepods-podU_D.slice", false),
            ("kubepods.slice/kubepods-podU_D.slice/cri-containerd-ab.scope", false),
        ] {
            let path = path.replace("UID", UID).replace("U_D", &UID.replace('-', "_"));
            let expected = expected.then(|| PodUid(UID.to_owned()));
            assert_eq!(PodUid::of_group(Path::new(&path)), expected, "{path}");
        }
    }
}
