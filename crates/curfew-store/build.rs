//! Rebuilds the crate when a migration changes: `sqlx::migrate!` embeds the files, which cargo cannot see.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../migrations");
}
