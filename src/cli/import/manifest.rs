//! The PersistentVolume of an imported volume.

use std::fmt;

use crate::csi::admin::ImportResponse;
use crate::identity::DRIVER_NAME;
use crate::volume::{TOPOLOGY_KEY, Topology};

/// What Kubernetes is told of a volume that it did not ask for.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    /// The CSI name of the volume.
    pub(super) name: &'a str,
    /// The node that it lives on.
    pub(super) node: &'a str,
    pub(super) volume: &'a ImportResponse,
}

/// A name of an object in Kubernetes is a DNS subdomain of at most so many characters.
const LONGEST: usize = 253;

// === impl Manifest ===

impl fmt::Display for Manifest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportResponse { volume_id, capacity_bytes, fs_type, .. } = self.volume;
        let name = if is_object_name(self.name) { self.name } else { volume_id };
        let mode = if fs_type.is_empty() { "Block" } else { "Filesystem" };
        write!(
            f,
            "apiVersion: v1
kind: PersistentVolume
metadata:
  name: {name:?}
spec:
  capacity:
    storage: \"{capacity_bytes}\"
  accessModes: [ReadWriteOnce]
  volumeMode: {mode}
  # The volume outlives its claim, until somebody decides otherwise.
  persistentVolumeReclaimPolicy: Retain
  storageClassName: \"\"
  csi:
    driver: {DRIVER_NAME}
    volumeHandle: {volume_id}
"
        )?;
        if !fs_type.is_empty() {
            writeln!(f, "    fsType: {fs_type}")?;
        }
        write!(
            f,
            "  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions:
            - {{key: {TOPOLOGY_KEY}, operator: In, values: [{:?}]}}
",
            Topology::of_node(self.node).value()
        )
    }
}

fn is_object_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty()
            && label.chars().all(good)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, fs_type: &str) -> String {
        let volume = ImportResponse {
            volume_id: "v-1".to_owned(),
            capacity_bytes: 1 << 30,
            fs_type: fs_type.to_owned(),
            ..ImportResponse::default()
        };
        Manifest { name, node: "n1", volume: &volume }.to_string()
    }

    #[test]
    fn a_file_system_and_raw_blocks_are_told_apart() {
        let mounted = manifest("db", "ext4");
        assert!(mounted.contains("volumeMode: Filesystem\n") && mounted.contains("fsType: ext4\n"));
        let raw = manifest("vm", "");
        assert!(raw.contains("volumeMode: Block\n") && !raw.contains("fsType"));
        for text in [mounted, raw] {
            let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read["spec"]["capacity"]["storage"], "1073741824");
            assert_eq!(read["spec"]["csi"]["volumeHandle"], "v-1");
            let term = &read["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0];
            assert_eq!(term["matchExpressions"][0]["values"][0], "n1");
        }
    }

    #[test]
    fn a_name_that_no_object_can_have_gives_way_to_the_id() {
        for (name, expected) in [
            ("db.prod-1", "\"db.prod-1\""),
            ("Größe", "\"v-1\""),
            ("a..b", "\"v-1\""),
            ("-a", "\"v-1\""),
        ] {
            assert!(manifest(name, "xfs").contains(&format!("  name: {expected}\n")), "{name}");
        }
    }
}
