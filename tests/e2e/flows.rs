//! What users do.

mod access;
mod attributes;
mod capacity;
mod copies;
mod ephemeral;
mod examples;
mod grow;
mod health;
mod inline;
mod kept;
mod life;
mod many;
mod owners;
