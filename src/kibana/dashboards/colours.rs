//! Colours by meaning. Kibana and the preview draw with the same ones.
//!
//! Chosen to differ in lightness too, so that people who see no red or no green can tell them apart, and to be legible on
//! a white and on a black page.

use super::model::Color;

impl Color {
    /// The colour as `#rrggbb`.
    pub fn hex(self) -> &'static str {
        match self {
            Color::Good => "#16C5C0",
            Color::Warn => "#EAAE01",
            Color::Bad => "#E5525B",
            Color::Neutral => "#98A2B3",
            Color::Accent => "#5E9CF5",
        }
    }
}

/// Shades from few to many, for heatmaps: blue, since many is neither good nor bad.
pub const SHADES: [&str; 5] = ["#D9E8FF", "#A8CAFF", "#6FA6F7", "#3F7FDB", "#2057AE"];

/// Colours of series that have no meaning, in this order and then again from the first. Kibana uses its own.
pub const SERIES: [&str; 10] =
    ["#5E9CF5", "#16C5C0", "#EE72A6", "#EAAE01", "#9B7BE8", "#61C26A", "#F08A4B", "#98A2B3", "#B5D4FF", "#A6EDEA"];
