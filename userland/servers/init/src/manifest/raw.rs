//! The manifest as it is written.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::grant::Grant;
use super::units::{Size, Time};
use crate::supervise::Policy;

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The services, in order.
    #[serde(default)]
    pub service: Vec<Service>,
}

/// A service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: Spanned<String>,
    pub program: Spanned<String>,
    #[serde(default)]
    pub arguments: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub grants: Vec<Grant>,
    #[serde(default)]
    pub provides: Vec<Spanned<String>>,
    #[serde(default)]
    pub uses: Vec<Spanned<String>>,
    #[serde(default)]
    pub after: Vec<Spanned<String>>,
    #[serde(default)]
    pub may: Vec<Permission>,
    #[serde(default)]
    pub when: When,
    pub ready: Option<Spanned<Ready>>,
    pub ready_timeout: Option<Time>,
    #[serde(default)]
    pub restart: Restart,
    pub stop_timeout: Option<Time>,
    pub memory_limit: Option<Spanned<Size>>,
    pub console: Option<Console>,
    #[serde(default)]
    pub ends_system: bool,
}

/// How it is started again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    pub policy: Option<Word<Policy>>,
    pub delay: Option<Time>,
    pub delay_max: Option<Time>,
    pub limit: Option<u32>,
    pub window: Option<Time>,
    pub steady: Option<Time>,
}

/// What it may ask of `services`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// To start, stop and restart services.
    Restart,
    /// To stop all.
    Stop,
}

/// Where the kernel shows its log as long as nobody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Console {
    Serial,
    Screen,
}

/// For which way of running it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    #[default]
    Always,
    Interactive,
    Command,
}

/// When it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// As soon as it was started.
    Started,
    /// When all that it provides is registered, or when it says so.
    Registered,
    /// When it says so.
    Told,
}

/// A word for something that is defined elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Word<T>(pub T);

impl<'de> Deserialize<'de> for Word<Policy> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Known {
            Always,
            OnFailure,
            Never,
        }
        Known::deserialize(deserializer).map(|known| {
            Self(match known {
                Known::Always => Policy::Always,
                Known::OnFailure => Policy::OnFailure,
                Known::Never => Policy::Never,
            })
        })
    }
}
