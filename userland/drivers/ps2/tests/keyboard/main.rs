//! The driver against a model of the controller and the keyboard.

mod keys;
mod model;
mod service;
mod start;
