//! `trailship version`.

use std::io::{self, Write};

pub fn version(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "trailship {} ({} {})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}
