//! A small application, a gatelog in front of it, and those who visit it: a load of every kind, on the loopback only, that
//! fails where an answer is not what it should be. gatelog is trained with it (`gatelog-train`), and its instructions are
//! counted under it (`benches/budget`).

pub mod app;
pub mod proxy;
pub mod visitors;
