//! `sample`, for all requests or for those of a route: how many of the ordinary ones are written.

use crate::filter::Expression;

/// One rule. The first of a list whose filter means a request decides; a request that none means is written.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRule {
    /// The requests, by their `request_completed`; `None`: every one.
    pub filter: Option<Expression>,
    /// The share of them that is written, 0 to 1.
    pub rate: f64,
}
