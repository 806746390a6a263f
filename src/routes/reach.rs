//! Routes that can never be reached.
use super::problem::Problem;
use super::route::Route;
pub(super) fn check(_routes: &[Route], _problems: &mut Vec<Problem>) {}
