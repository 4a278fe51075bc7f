//! `orlop doctor` on a node of a cluster.

use std::path::Path;
use std::process::Command;

use orlop::cluster::objects::{Home, Pool};
use serde_json::{Value, json};

use crate::rig::{self, Identity, Rig};

const NODE: &str = "examined";
const POOL: &str = "/apis/orlop.dev/v1alpha1/pools/examined.default";
const ORPHAN: &str = "v-c7ebb2e87c8b3a90fca4a8380a03c69a";

/// Returns what doctor says of the cluster and of the pool: the verdict, and what was found with what to do.
fn examine(rig: &Rig, room: &str, kubeconfig: &Path) -> Vec<(String, String)> {
    let pool = json!({ "name": "default", "kind": "memory", "size": "10Gi" });
    let cluster = json!({ "kubeconfig": kubeconfig });
    let settings = json!({ "nodeId": NODE, "pools": [pool], "cluster": cluster });
    let config = rig.room(room).join("orlop.yaml");
    std::fs::write(&config, settings.to_string()).unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_orlop"));
    doctor.args(["doctor", "--output", "json", "--config"]).arg(config);
    let said = doctor.output().unwrap();
    let lines: Vec<Value> = serde_json::from_slice(&said.stdout).unwrap();
    let ours = lines
        .iter()
        .filter(|line| ["cluster", "pool default"].iter().any(|about| line["about"] == *about));
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    ours.map(|line| {
        (text(line, "verdict"), format!("{}: {}", text(line, "found"), text(line, "advice")))
    })
    .collect()
}

#[test]
fn doctor_says_what_the_cluster_knows_of_this_node() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        rig.node(NODE).await;
        let token = rig.kubeconfig(&rig.orlop_node(NODE).await);
        let verdicts = |said: &[(String, String)]| -> Vec<String> {
            said.iter().map(|(verdict, _)| verdict.clone()).collect()
        };

        let said = examine(&rig, NODE, &token);
        assert_eq!(verdicts(&said), ["ok", "warning"], "{said:?}");
        let missing =
            "there is no Pool examined.default in the cluster: start the driver: it makes it";
        assert_eq!(said[1].1, missing);

        let pools = "/apis/orlop.dev/v1alpha1/pools";
        rig.api.post(pools, &json!(Pool::at(&Home::new(NODE, "default")))).await.unwrap();
        let said = examine(&rig, NODE, &token);
        assert_eq!(verdicts(&said), ["ok", "ok"], "{said:?}");

        rig.api.patch(POOL, &json!({ "spec": { "cordoned": true } })).await.unwrap();
        let orphans = json!([{ "id": ORPHAN, "kind": "Volume" }]);
        let status = json!({ "status": { "orphanCount": 1, "orphans": orphans } });
        rig.api.patch(&format!("{POOL}/status"), &status).await.unwrap();
        let said = examine(&rig, NODE, &token);
        assert_eq!(verdicts(&said), ["ok", "ok", "warning", "warning"], "{said:?}");
        assert!(said[2].1.starts_with("is cordoned"), "{said:?}");
        let orphan = format!(
            "holds 1 things without an object: {ORPHAN}: they are kept; \
             `orlop adopt --manifests | kubectl create -f -` brings the objects back"
        );
        assert_eq!(said[3].1, orphan);
    });
}

#[test]
fn doctor_says_why_a_node_and_its_cluster_do_not_understand_each_other() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let nobody = rig.kubeconfig(&Identity::user("nobody", "nobodies"));
        let missing = rig.room("refused").join("missing.kubeconfig");
        let stranger = rig.kubeconfig(&Identity::Token("no token".to_owned()));
        for (kubeconfig, why) in [
            (nobody, "a right is missing"),
            (missing, "cannot use the kubeconfig"),
            (stranger, "the API server does not know who asks"),
        ] {
            let said = examine(&rig, "refused", &kubeconfig);
            assert_eq!((said.len(), &*said[0].0), (1, "error"), "{said:?}");
            assert!(said[0].1.contains(why), "{said:?}");
        }
    });
}
