use std::path::Path;

use super::*;
use crate::csi::v1::volume_capability::access_mode::Mode;
use crate::csi::v1::volume_capability::{AccessMode, BlockVolume};

const ROOT: &str = "/var/lib/kubelet";
const UID: &str = "3c57e7a7-56ac-4e3a-bb2c-5a7d37f1d9be";

fn capability(access: AccessType) -> v1::VolumeCapability {
    let access_mode = Some(AccessMode { mode: Mode::SingleNodeWriter.into() });
    v1::VolumeCapability { access_mode, access_type: Some(access) }
}

fn good() -> v1::NodePublishVolumeRequest {
    let context = [
        ("csi.storage.k8s.io/ephemeral", "true"),
        ("csi.storage.k8s.io/pod.name", "p"),
        ("csi.storage.k8s.io/pod.namespace", "team-a"),
        ("csi.storage.k8s.io/pod.uid", UID),
        ("csi.storage.k8s.io/serviceAccount.name", "default"),
    ];
    v1::NodePublishVolumeRequest {
        volume_id: InlineId::of(UID, "work").to_string(),
        target_path: format!("{ROOT}/pods/{UID}/volumes/kubernetes.io~csi/work/mount"),
        volume_capability: Some(capability(AccessType::Mount(MountVolume::default()))),
        volume_context: context
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..v1::NodePublishVolumeRequest::default()
    }
}

fn parse(role: Role, request: v1::NodePublishVolumeRequest) -> Result<Wish> {
    Wish::parse(role, &[Path::new(ROOT), Path::new("/data/kubelet")], false, request)
}

/// Returns why the good request is refused after a change.
fn refused(role: Role, change: impl FnOnce(&mut v1::NodePublishVolumeRequest)) -> String {
    let mut request = good();
    change(&mut request);
    match parse(role, request) {
        Err(why @ Error::Invalid { .. }) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

fn with(key: &'static str, value: &'static str) -> impl FnOnce(&mut v1::NodePublishVolumeRequest) {
    move |request| drop(request.volume_context.insert(key.to_owned(), value.to_owned()))
}

#[test]
fn case_001_no_volume_id() {
    let why = refused(Role::Scratch, |request| request.volume_id.clear());
    assert_eq!(why, "volume_id: is required");
}

#[test]
fn case_002_no_target_path() {
    let why = refused(Role::Scratch, |request| request.target_path.clear());
    assert_eq!(why, "target_path: is required");
}

#[test]
fn case_003_no_capability() {
    let why = refused(Role::Scratch, |request| request.volume_capability = None);
    assert_eq!(why, "volume_capability: is required");
}

#[test]
fn case_004_a_raw_device_is_no_inline_volume() {
    for role in Role::ALL {
        let why = refused(role, |request| {
            request.volume_capability = Some(capability(AccessType::Block(BlockVolume {})));
        });
        assert!(why.contains("never a raw device: leave `fsType: block` out"), "{why}");
    }
}

#[test]
fn case_005_not_inline() {
    let missing = refused(Role::Scratch, |request| {
        request.volume_context.remove("csi.storage.k8s.io/ephemeral");
    });
    assert!(missing.contains("podInfoOnMount"), "{missing}");
    let why = refused(Role::Scratch, with("csi.storage.k8s.io/ephemeral", "false"));
    assert!(why.contains("no PersistentVolume"), "{why}");
}

#[test]
fn case_006_a_pod_without_a_namespace() {
    for key in ["pod.namespace", "pod.name", "pod.uid", "serviceAccount.name"] {
        let key = format!("csi.storage.k8s.io/{key}");
        let why = refused(Role::Config, |request| {
            request.volume_context.remove(&key);
        });
        assert!(why.contains(&key) && why.contains("podInfoOnMount"), "{why}");
    }
}

#[test]
fn case_008_an_unknown_kind() {
    let why = refused(Role::Config, with("kind", "ConfigMap"));
    assert!(
        why.contains(
            "config.csi.orlop.dev does not serve it; it has: configMap, secret, projected"
        )
    );
    let why = refused(Role::Config, |_| {});
    assert!(why.contains("kind is required"), "{why}");
    let why = refused(Role::Scratch, with("kind", "hostPath"));
    assert!(why.contains("it has: emptyDir"), "{why}");
    // A driver with one kind needs no word for it.
    assert_eq!(parse(Role::Scratch, good()).unwrap().volume.kind, KindName::EmptyDir);
}

#[test]
fn case_009_a_key_of_kubelets() {
    let why = refused(Role::Scratch, with("csi.storage.k8s.io/foo", "x"));
    assert_eq!(why, "volume_attributes: csi.storage.k8s.io/foo: such keys are kubelet's own");
}

#[test]
fn case_010_a_target_that_is_not_the_pods() {
    let other = "6f0e6fd4-0000-4e3a-bb2c-5a7d37f1d9be";
    for target in [
        format!("{ROOT}/pods/{other}/volumes/kubernetes.io~csi/work/mount"),
        format!("{ROOT}/pods/{UID}/volumes/kubernetes.io~csi/work/mount/more"),
        format!("{ROOT}/pods/{UID}/volumes/kubernetes.io~csi/../../../{other}/mount"),
        format!("{ROOT}/pods/{UID}/volumes/kubernetes.io~empty-dir/work"),
        format!("{ROOT}x/pods/{UID}/volumes/kubernetes.io~csi/work/mount"),
        "/etc".to_owned(),
        "relative".to_owned(),
    ] {
        let why = refused(Role::Scratch, |request| request.target_path.clone_from(&target));
        assert!(why.starts_with("target_path: "), "{target}: {why}");
    }
    // The directory of kubelet has two names where one of them is a link.
    let mut request = good();
    request.target_path = request.target_path.replace(ROOT, "/data/kubelet");
    assert!(parse(Role::Scratch, request).is_ok());
}

#[test]
fn case_011_an_id_that_is_not_kubelets() {
    let strange = InlineId::of(UID, "other").to_string();
    for id in [&strange, "v-1", "csi-1"] {
        let why = refused(Role::Scratch, |request| id.clone_into(&mut request.volume_id));
        assert!(why.starts_with("volume_id: is not the one that kubelet gives"), "{why}");
    }
}

#[test]
fn case_011_where_any_id_may_be_named_the_path_says_which_volume_it_is() {
    for id in ["v-1", "../../x", &InlineId::of(UID, "other").to_string()] {
        let request = v1::NodePublishVolumeRequest { volume_id: id.to_owned(), ..good() };
        let wish = Wish::parse(Role::Scratch, &[Path::new(ROOT)], true, request).unwrap();
        assert_eq!(wish.volume.id, InlineId::of(UID, "work"), "{id}");
    }
    let request = v1::NodePublishVolumeRequest { volume_id: String::new(), ..good() };
    assert!(Wish::parse(Role::Scratch, &[Path::new(ROOT)], true, request).is_err());
}

#[test]
fn case_013_a_staging_path_is_not_needed() {
    let request = good();
    assert!(request.staging_target_path.is_empty());
    assert!(parse(Role::Scratch, request).is_ok());
}

#[test]
fn what_is_asked_for_is_what_kubelet_says() {
    let mut request = good();
    with("kind", "emptyDir")(&mut request);
    with("sizeLimit", "1Gi")(&mut request);
    with(TOKENS, "{}")(&mut request);
    request.readonly = true;
    request.volume_capability = Some(capability(AccessType::Mount(MountVolume {
        fs_type: "xfs".to_owned(),
        volume_mount_group: "2000".to_owned(),
        ..MountVolume::default()
    })));
    let wish = parse(Role::Scratch, request).unwrap();
    let InlineVolume { pod, attributes, read_only, group, fs_type, tokens_in_context, .. } =
        &wish.volume;
    assert_eq!((&*pod.namespace, &*pod.name, &*pod.service_account), ("team-a", "p", "default"));
    assert_eq!(attributes.iter().collect::<Vec<_>>(), [("sizeLimit", "1Gi")]);
    assert_eq!((*read_only, *group, fs_type.as_deref()), (true, Some(2000), Some("xfs")));
    assert!(tokens_in_context.is_some());
    for wrong in ["-1", "4294967295", "x", "4294967296"] {
        let why = refused(Role::Scratch, |request| {
            let volume_mount_group = wrong.to_owned();
            let mount = MountVolume { volume_mount_group, ..MountVolume::default() };
            request.volume_capability = Some(capability(AccessType::Mount(mount)));
        });
        assert!(why.starts_with("volume_mount_group: "), "{why}");
    }
}

#[test]
fn case_019_a_newer_token_alone_asks_for_nothing_else() {
    let digest = |change: &dyn Fn(&mut v1::NodePublishVolumeRequest)| {
        let mut request = good();
        change(&mut request);
        parse(Role::Scratch, request).unwrap().digest
    };
    let plain = digest(&|_| {});
    assert_eq!(plain, digest(&|request| with(TOKENS, "newer")(request)));
    assert_eq!(
        plain,
        digest(&|request| {
            request.secrets.insert(TOKENS.to_owned(), "newer".to_owned());
        })
    );
    assert_ne!(plain, digest(&|request| with("sizeLimit", "1")(request)));
    assert_ne!(plain, digest(&|request| request.readonly = true));
}
