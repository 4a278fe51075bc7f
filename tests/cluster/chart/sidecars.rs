//! What the sidecars need.
