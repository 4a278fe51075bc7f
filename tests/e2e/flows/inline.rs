//! Inline volumes, each beside its twin of Kubernetes' own.

use std::time::Instant;

use serde_json::{Value, json};

use crate::rig::{Flow, Pod, flow};

const SCRATCH: &str = "scratch.csi.orlop.dev";
const CONFIG: &str = "config.csi.orlop.dev";
const HOSTPATH: &str = "hostpath.csi.orlop.dev";

/// Prints the tree below the working directory: type, mode, owner, name, where a link leads, and what is in a file. The time
/// in the name of a directory is the only thing that differs between two volumes with the same content.
const TREE: &str = "find . | sort | while read -r f; do \
    t=$(stat -c '%F %a %u:%g' \"$f\"); l=$(readlink \"$f\"); s=; [ -f \"$f\" ] && s=$(md5sum < \"$f\"); \
    echo \"$f|$t|$l|$s\"; done | sed -E 's/\\.\\.[0-9]{4}(_[0-9]{2}){5}\\.[0-9A-Za-z]+/..TIME/g'";

#[test]
fn each_kind_looks_like_its_twin() {
    flow("inline-twins", async |flow| twins(flow, None).await);
}

#[test]
fn each_kind_looks_like_its_twin_with_a_group() {
    flow("inline-twins-group", async |flow| twins(flow, Some(2000)).await);
}

async fn twins(flow: &Flow, group: Option<u32>) {
    privileged(flow).await;
    objects(flow).await;
    let pairs: Vec<_> = of_scratch().into_iter().chain(of_objects()).chain(of_the_host()).collect();
    let mut pod = Pod::new("twins").with("serviceAccountName", json!("reader"));
    if let Some(group) = group {
        pod = pod.with("securityContext", json!({ "fsGroup": group }));
    }
    for (name, theirs, ours) in &pairs {
        pod = pod.volume(&format!("{name}-theirs"), theirs.clone(), &format!("/theirs/{name}"));
        pod = pod.volume(&format!("{name}-ours"), ours.clone(), &format!("/ours/{name}"));
    }
    flow.run(pod).await;
    for (name, ..) in &pairs {
        let tree = |whose: &str| flow.exec("twins", &format!("cd /{whose}/{name} && {TREE}"));
        let (theirs, ours) = (tree("theirs"), tree("ours"));
        assert_eq!(without_documented(name, &theirs), without_documented(name, &ours), "{name}");
    }
}

/// A name, the volume as Kubernetes has it, and ours.
type Pair = (&'static str, Value, Value);

fn of_scratch() -> [Pair; 2] {
    let (disk, memory) =
        (json!({ "sizeLimit": "16Mi" }), json!({ "medium": "Memory", "sizeLimit": "16Mi" }));
    [
        ("scratch", json!({ "emptyDir": disk }), csi(SCRATCH, &disk)),
        ("memory", json!({ "emptyDir": memory }), csi(SCRATCH, &memory)),
    ]
}

fn of_objects() -> [Pair; 4] {
    let file = json!({ "key": "a", "path": "deep/er/a", "mode": 0o400 });
    let items = r#"[{"key":"a","path":"deep/er/a","mode":"0400"}]"#;
    let name = json!({ "path": "pod/name", "fieldRef": { "fieldPath": "metadata.name" } });
    let theirs = json!([
        { "configMap": { "name": "conf" } },
        { "secret": { "name": "hidden" } },
        { "downwardAPI": { "items": [name] } },
    ]);
    let sources = r#"[{"configMap":{"name":"conf"}},{"secret":{"name":"hidden"}},
        {"podInfo":{"items":[{"field":"metadata.name","path":"pod/name"}]}}]"#;
    [
        (
            "conf",
            json!({ "configMap": { "name": "conf", "defaultMode": 0o440 } }),
            csi(CONFIG, &json!({ "kind": "configMap", "name": "conf", "defaultMode": "0440" })),
        ),
        (
            "items",
            json!({ "configMap": { "name": "conf", "items": [file] } }),
            csi(CONFIG, &json!({ "kind": "configMap", "name": "conf", "items": items })),
        ),
        (
            "hidden",
            json!({ "secret": { "secretName": "hidden" } }),
            csi(CONFIG, &json!({ "kind": "secret", "secretName": "hidden" })),
        ),
        (
            "all",
            json!({ "projected": { "sources": theirs } }),
            csi(CONFIG, &json!({ "kind": "projected", "sources": sources })),
        ),
    ]
}

fn of_the_host() -> [Pair; 1] {
    let host = json!({ "path": "/srv/data/twins", "type": "DirectoryOrCreate" });
    [("host", json!({ "hostPath": host }), csi(HOSTPATH, &host))]
}

/// What docs/ephemeral.md says differs: the root of what is projected is nobody's to write here, and of the disk's scratch
/// space the file system has a directory of its own.
fn without_documented(name: &str, tree: &str) -> Vec<String> {
    let projected = ["conf", "items", "hidden", "all"].contains(&name);
    tree.lines()
        .filter(|line| !line.contains("lost+found"))
        .filter(|line| !(projected && line.starts_with(".|")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_changed_config_map_is_seen_within_two_seconds() {
    flow("inline-watch", async |flow| {
        objects(flow).await;
        let volume = csi(CONFIG, &json!({ "kind": "configMap", "name": "conf" }));
        let pod = Pod::new("user").with("serviceAccountName", json!("reader"));
        flow.run(pod.volume("conf", volume, "/conf")).await;
        assert_eq!(flow.exec("user", "cat /conf/a"), "1");
        let seen = "while [ \"$(cat /conf/a)\" != 2 ]; do sleep 0.05; done";
        let waiting = flow.exec_beside("user", seen);
        let began = Instant::now();
        let change = json!({ "data": { "a": "2" } });
        flow.patch("configmaps", "conf", &change).await.unwrap();
        let ended = waiting.wait_with_output().unwrap();
        assert!(ended.status.success());
        let took = began.elapsed();
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
    });
}

#[test]
fn a_write_past_the_limit_fails_and_nobody_is_evicted() {
    flow("inline-limit", async |flow| {
        let volume = csi(SCRATCH, &json!({ "sizeLimit": "16Mi" }));
        flow.run(Pod::new("user").volume("work", volume, "/work")).await;
        let said = flow.exec_fails("user", "dd if=/dev/zero of=/work/file bs=1M count=32");
        assert!(said.contains("No space left on device"), "{said}");
        assert!(flow.is_ready("user").await);
    });
}

#[test]
fn a_host_path_is_kept_out_of_namespaces_that_are_not_privileged() {
    flow("inline-hostpath", async |flow| {
        let volume = csi(HOSTPATH, &json!({ "path": "/srv/data/x", "type": "DirectoryOrCreate" }));
        let pod = Pod::new("user").volume("host", volume, "/host");
        let refused = flow.try_pod(pod.clone()).await.unwrap_err();
        assert!(refused.message.contains("pod-security.kubernetes.io/enforce"), "{refused:?}");
        privileged(flow).await;
        // The policy hears of the label a moment later.
        let taken = async || flow.try_pod(pod.clone()).await.ok();
        flow.until("the pod is taken", taken).await;
        flow.running("user").await;
        // And not what nobody has allowed.
        let volume = csi(HOSTPATH, &json!({ "path": "/etc", "type": "Directory" }));
        flow.pod(Pod::new("other").volume("host", volume, "/host")).await;
        let said = flow.event_with("other", "FailedMount", "PermissionDenied").await;
        assert!(said.contains("/etc"), "{said}");
    });
}

fn csi(driver: &str, attributes: &Value) -> Value {
    json!({ "csi": { "driver": driver, "volumeAttributes": attributes } })
}

async fn privileged(flow: &Flow) {
    let label = json!({ "pod-security.kubernetes.io/enforce": "privileged" });
    let namespace = format!("/api/v1/namespaces/{}", flow.namespace);
    let labelled = json!({ "metadata": { "labels": label } });
    flow.api.patch(&namespace, &labelled).await.unwrap();
}

/// A ConfigMap, a Secret, and a ServiceAccount that may read both.
async fn objects(flow: &Flow) {
    let named = |name: &str| json!({ "name": name });
    let binary = json!({ "bin": "AAEC/w==" });
    let conf = json!({ "metadata": named("conf"), "data": { "a": "1", "b": "2\n" }, "binaryData": binary });
    flow.make("configmaps", &conf).await;
    let hidden = json!({ "metadata": named("hidden"), "stringData": { "password": "x" } });
    flow.make("secrets", &hidden).await;
    flow.make("serviceaccounts", &json!({ "metadata": named("reader") })).await;
    let rights = "rbac.authorization.k8s.io";
    let rules = json!([{
        "apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"],
    }]);
    flow.make(&format!("{rights}/roles"), &json!({ "metadata": named("reader"), "rules": rules }))
        .await;
    let binding = json!({
        "metadata": named("reader"),
        "roleRef": { "apiGroup": rights, "kind": "Role", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "name": "reader" }],
    });
    flow.make(&format!("{rights}/rolebindings"), &binding).await;
}
