//! What users do.

mod access;
mod attributes;
mod capacity;
mod copies;
mod ephemeral;
mod grow;
mod health;
mod kept;
mod life;
mod many;
mod owners;
