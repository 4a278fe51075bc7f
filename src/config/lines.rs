//! Where each key of the file stands, so that a mistake found after reading still names its line.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The line of every key and list entry, by its path: `pools[0].ratio`.
#[derive(Debug, Default)]
pub(super) struct Lines {
    by_key: HashMap<String, u64>,
}

/// As much of a document as has lines.
enum Node {
    Scalar,
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Self)>),
}

struct NodeVisitor;

// === impl Lines ===

impl Lines {
    /// Reads the lines of a document; one that is not YAML at all has none.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(node) = serde_saphyr::from_str::<Node>(text) {
            lines.walk("", &node);
        }
        lines
    }

    /// Returns the line of the key, or of the nearest one around it: a missing key has no line of its own.
    pub(super) fn line_of(&self, key: &str) -> Option<u64> {
        let mut key = key;
        loop {
            if let Some(line) = self.by_key.get(key) {
                return Some(*line);
            }
            let end = key.rfind(['.', '['])?;
            key = key.get(..end)?;
        }
    }

    fn walk(&mut self, path: &str, node: &Node) {
        match node {
            Node::Scalar => {}
            Node::List(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.walk(&path, &entry.value);
                    self.by_key.insert(path, entry.referenced.line());
                }
            }
            Node::Map(pairs) => {
                for (key, value) in pairs {
                    let path = if path.is_empty() {
                        key.value.clone()
                    } else {
                        format!("{path}.{}", key.value)
                    };
                    self.walk(&path, value);
                    self.by_key.insert(path, key.referenced.line());
                }
            }
        }
    }
}

// === impl Node ===

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
        Node::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            map.push(pair);
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_line_and_a_missing_one_that_of_its_parent() {
        let text = "nodeId: n1\n# a remark\npools:\n  - name: a\n    kind: image\n  - {name: b,\n     ratio: 2}\n";
        let lines = Lines::of(text);
        for (key, line) in [
            ("nodeId", Some(1)),
            ("pools", Some(3)),
            ("pools[0]", Some(4)),
            ("pools[0].kind", Some(5)),
            ("pools[0].missing", Some(4)),
            ("pools[1].name", Some(6)),
            ("pools[1].ratio", Some(7)),
            ("pools[1].ratio.deeper[3]", Some(7)),
            ("elsewhere", None),
        ] {
            assert_eq!(lines.line_of(key), line, "{key}");
        }
        assert_eq!(Lines::of("{").line_of("pools"), None);
    }
}
