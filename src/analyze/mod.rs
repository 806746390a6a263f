//! What alert rules measure: counts, shares, quantiles and burn rates over windows that slide with time, in memory that does
//! not grow with the traffic.
//!
//! A [`Meter`] takes marks ([`Mark`]), each with its second, and says what it reads at a moment. Windows of up to an hour are
//! exact to the second (quantiles: of up to five minutes); longer ones move in as many steps. Where a rule is about each route or each
//! client on its own, [`Groups`] keeps one meter for each of the first hundred names, and counts the others together.

pub mod groups;
pub mod meter;
mod quantile;
mod window;

pub use groups::Groups;
pub use meter::{Burn, Mark, Measure, Meter, Reading};

#[cfg(test)]
mod tests;
