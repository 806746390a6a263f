//! Questions of a person, and how answers look: any place that holds records ([`crate::store::Records`]) is asked the same
//! way, log files among them ([`files`]).

pub mod files;
