//! Every mistake names its key and line, in one line.

use super::parse;

/// What is wrong, and the line and key that must be named with a part of the reason.
const MISTAKES: &[(&str, &str)] = &[
    ("nodeID: n1", "orlop.yaml:1: nodeID: is not a key here; there is: nodeId, attach"),
    ("\nnodeId: -n", "orlop.yaml:2: nodeId: \"-n\" cannot be a node id"),
    ("nodeId: [a]", "orlop.yaml:1: nodeId: "),
    (
        "attach: maybe",
        "orlop.yaml:1: attach: \"maybe\" is not known here; there is: on, true, false, off",
    ),
    ("attach: on\nattach: off", "orlop.yaml:2: "),
    ("maxVolumesPerNode: -1", "orlop.yaml:1: maxVolumesPerNode: "),
    ("maxVolumesPerNode: many", "orlop.yaml:1: maxVolumesPerNode: "),
    ("defaultSize: 1.5Gi", "orlop.yaml:1: defaultSize: \"1.5Gi\" is not a size"),
    ("defaultSize: 0", "orlop.yaml:1: defaultSize: is 0"),
    ("freezeLimit: 5", "orlop.yaml:1: freezeLimit: \"5\" is not a duration"),
    ("freezeLimit: 0s", "orlop.yaml:1: freezeLimit: is 0"),
    ("shutdownGrace: soon", "orlop.yaml:1: shutdownGrace: \"soon\" is not a duration"),
    ("kubeletRoot: var/lib", "orlop.yaml:1: kubeletRoot: \"var/lib\" is not an absolute path"),
    ("stateDir: /var/../x", "orlop.yaml:1: stateDir: \"/var/../x\": write the path without `..`"),
    ("requireSharedMounts: perhaps", "orlop.yaml:1: requireSharedMounts: "),
    ("programDirs: []", "orlop.yaml:1: programDirs: names no directory"),
    ("programDirs: [/bin, bin]", "orlop.yaml:1: programDirs[1]: \"bin\" is not an absolute path"),
    ("pools: []", "orlop.yaml:1: pools: names no pool"),
    ("pools: {}", "orlop.yaml:1: pools: "),
    ("pools:\n  - kind: image", "orlop.yaml:2: pools[0].name: is required"),
    ("pools:\n  - name: a", "orlop.yaml:2: pools[0].kind: is required"),
    (
        "pools:\n  - name: A\n    kind: image",
        "orlop.yaml:2: pools[0].name: \"A\" is not a pool name",
    ),
    ("pools: [{name: -a, kind: memory}]", "orlop.yaml:1: pools[0].name: \"-a\" is not a pool name"),
    (
        "pools: [{name: a, kind: lvm}]",
        "orlop.yaml:1: pools[0].kind: \"lvm\" is not known here; there is: image, memory",
    ),
    (
        "pools: [{name: a, kind: image}]",
        "orlop.yaml:1: pools[0].path: one of `device`, `file` and `path` is required",
    ),
    (
        "pools:\n  - name: a\n    kind: image\n    device: /dev/x\n    path: /srv",
        "orlop.yaml:5: pools[0].path: only one of",
    ),
    (
        "pools:\n  - name: a\n    kind: image\n    device: /dev/x\n    file: /srv/f\n    size: 1Gi",
        "orlop.yaml:5: pools[0].file: only one of",
    ),
    (
        "pools: [{name: a, kind: image, device: sda}]",
        "orlop.yaml:1: pools[0].device: \"sda\" is not an absolute path",
    ),
    (
        "pools: [{name: a, kind: image, file: /f}]",
        "orlop.yaml:1: pools[0].size: is required beside `file`",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, size: 1Gi}]",
        "orlop.yaml:1: pools[0].size: is for pools with `file`",
    ),
    ("pools: [{name: a, kind: image, path: /p, shared: yes}]", "orlop.yaml:1: pools[0].shared: "),
    (
        "pools: [{name: a, kind: image, device: /dev/*/x}]",
        "orlop.yaml:1: pools[0].device: can have `*` in its last part only",
    ),
    (
        "pools: [{name: a, kind: image, device: /d, shared: accepted}]",
        "orlop.yaml:1: pools[0].shared: is for pools with `path`",
    ),
    (
        "pools:\n- name: a\n  kind: image\n  path: /p\n  provisioning: thick",
        "orlop.yaml:5: pools[0].provisioning: others can fill the file system of /p: a thick pool there needs `shared: accepted`",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, provisioning: fat}]",
        "orlop.yaml:1: pools[0].provisioning: \"fat\"",
    ),
    (
        "pools:\n- name: a\n  kind: image\n  path: /p\n\n\n  ratio: 0.5",
        "orlop.yaml:7: pools[0].ratio: \"0.5\" is not a ratio: write a number from 1 to 1000",
    ),
    (
        "pools: [{name: a, kind: image, device: /d, ratio: 2}]",
        "orlop.yaml:1: pools[0].ratio: is for pools with `provisioning: thin`",
    ),
    (
        "pools: [{name: a, kind: image, device: /d, lowWater: 5%}]",
        "orlop.yaml:1: pools[0].lowWater: is for pools",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, lowWater: 5}]",
        "orlop.yaml:1: pools[0].lowWater: \"5\" is not a percentage",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, reserve: 101%}]",
        "orlop.yaml:1: pools[0].reserve: \"101%\"",
    ),
    (
        "pools: [{name: a, kind: image, device: /dev/d, whenFull: pause}]",
        "orlop.yaml:1: pools[0].whenFull: is for pools with `provisioning: thin`",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, reserve: 5%}]",
        "orlop.yaml:1: pools[0].reserve: the reserve of 5% is not below lowWater, which is 5%",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, lowWater: 1%}]",
        "orlop.yaml:1: pools[0].lowWater: the reserve of 2% is not below lowWater, which is 1%",
    ),
    (
        "pools: [{name: a, kind: image, path: /p, colour: red}]",
        "orlop.yaml:1: pools[0].colour: is not a key here",
    ),
    (
        "pools: [{name: a, kind: memory, path: /p}]",
        "orlop.yaml:1: pools[0].path: means nothing for a pool of kind memory",
    ),
    (
        "pools:\n- {name: a, kind: memory}\n- {name: a, kind: memory}",
        "orlop.yaml:3: pools[1].name: \"a\" is the name of another pool, too",
    ),
    (
        "pools:\n- {name: a, kind: memory}\n- {name: b, kind: image, path: /p}",
        "orlop.yaml:3: pools[1].kind: memory and image pools cannot be served by one driver",
    ),
    (
        "pools:\n- {name: a, kind: image, path: /p}\n- {name: b, kind: image, file: /p/q, size: 1Gi}",
        "orlop.yaml:3: pools[1].file: /p/q and the /p of pool \"a\" overlap",
    ),
    ("roles: {scratch: {budget: 0}}", "orlop.yaml:1: roles.scratch.budget: is 0"),
    (
        "roles: {scratch: {defaultSize: 2Gi, maxSize: 1Gi}}",
        "orlop.yaml:1: roles.scratch.defaultSize: 2 GiB is more than maxSize, 1 GiB",
    ),
    (
        "roles: {scratch: {allow: [exec]}}",
        "orlop.yaml:1: roles.scratch.allow[0]: \"exec\" is not known",
    ),
    ("roles:\n  config:\n    maxBytes: 0", "orlop.yaml:3: roles.config.maxBytes: is 0"),
    (
        "roles: {hostpath: {endpoint: /x}}",
        "orlop.yaml:1: roles.hostpath.endpoint: the role is off: set enabled: true",
    ),
    (
        "roles:\n  hostpath:\n    prefixes:\n    - {path: /srv/a, namespaces: []}",
        "orlop.yaml:4: roles.hostpath.prefixes[0].namespaces: names no namespace",
    ),
    (
        "roles:\n  hostpath:\n    prefixes:\n    - {path: /srv/a, namespaces: [x]}\n    - {path: /srv/a/, namespaces: [y, x]}",
        "orlop.yaml:5: roles.hostpath.prefixes[1].namespaces: \"x\" has /srv/a by a prefix before this one",
    ),
    (
        "roles: {volumes: {endpoint: csi.sock}}",
        "orlop.yaml:1: roles.volumes.endpoint: \"csi.sock\" does not name a socket",
    ),
    (
        "roles: {volume: {}}",
        "orlop.yaml:1: roles.volume: is not a key here; there is: volumes, scratch",
    ),
    (
        "roles: {config: {maxBytes: lots}}",
        "orlop.yaml:1: roles.config.maxBytes: \"lots\" is not a size",
    ),
    ("pools: [{name: a", "orlop.yaml:1: "),
    ("just a text", "orlop.yaml:1: "),
    ("- a list", "orlop.yaml:1: "),
];

#[test]
fn every_mistake_names_its_key_and_line() {
    let mut wrong = Vec::new();
    for (text, expected) in MISTAKES {
        let found = parse(text).map_or_else(|found| found, |config| format!("{config:?}"));
        if !found.starts_with(expected) || found.contains('\n') {
            wrong.push(format!("{text}\n found    {found}\n expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
