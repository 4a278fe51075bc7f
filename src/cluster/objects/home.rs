//! Where a thing is: in a pool of a node.

use std::fmt;

use crate::volume::shortened;

/// The longest name that an object can have.
const LONGEST_NAME: usize = 253;

/// A pool of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home {
    /// The name of the Node.
    pub node: String,
    /// The name of the pool, as a StorageClass has it.
    pub pool: String,
}

// === impl Home ===

impl Home {
    /// Returns the pool of the node.
    pub fn new(node: impl Into<String>, pool: impl Into<String>) -> Self {
        Self { node: node.into(), pool: pool.into() }
    }

    /// Returns the name of the Pool object: `<node>.<pool>`, shortened where that is too long. No pool has a dot in
    /// its name, so that no two pools have the same object.
    pub fn object_name(&self) -> String {
        shortened(&format!("{}.{}", self.node, self.pool), LONGEST_NAME)
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {} on node {}", self.pool, self.node)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Kubernetes has it for most objects' names.
    fn is_subdomain(name: &str) -> bool {
        let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let is_label = |label: &str| {
            label.chars().all(|c| end(Some(c)) || c == '-')
                && end(label.chars().next())
                && end(label.chars().next_back())
        };
        name.len() <= LONGEST_NAME && name.split('.').all(is_label)
    }

    const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

    #[test]
    fn a_pool_object_is_named_by_its_node_and_pool() {
        assert_eq!(Home::new("n1", "fast").object_name(), "n1.fast");
        let node = ["a"; 120].join(".");
        let long = Home::new(node.clone(), "a".repeat(63));
        assert_eq!(long.object_name().len(), 252);
        assert!(long.object_name().starts_with("a.a.a."), "{}", long.object_name());
        assert_ne!(long.object_name(), Home::new(node, "b".repeat(63)).object_name());
    }

    proptest! {
        #[test]
        fn a_pool_object_has_a_legal_name_of_its_own(
            labels in proptest::collection::vec(LABEL, 1..4), pool in LABEL, other in LABEL,
        ) {
            let node = labels.join(".");
            let name = Home::new(&*node, &*pool).object_name();
            prop_assert!(is_subdomain(&name), "{}", name);
            prop_assert_eq!(name == Home::new(&*node, &*other).object_name(), pool == other);
            prop_assert_ne!(name, Home::new(format!("{node}.{other}"), pool).object_name());
        }
    }
}
