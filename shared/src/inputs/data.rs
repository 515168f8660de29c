use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use cel::{
    common::value::{CowVal, Val},
    context::VariableResolver,
};

use super::{
    Bindings, Error,
    library::Library,
    lookup::Found,
    paths::{self, Path},
    session::{SESSION, Session},
};

/// The data that the expressions of one template may refer to: 4 MiB of text, or a quarter of a
/// million numbers.
const MAX_UNITS: u64 = 262_144;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The variables of one evaluation. A part of the data becomes a value when an expression first
/// asks for it, and stays one.
pub(super) struct Data<'v> {
    bindings: &'v Bindings,
    paths: &'v [Path],
    values: Vec<OnceLock<Option<Box<dyn Val + 'v>>>>,
    units: AtomicU64,
    is_too_large: AtomicBool,
    session: Session,
}

impl<'v> Data<'v> {
    /// What the paths lead to.
    pub(super) fn new(bindings: &'v Bindings, paths: &'v [Path]) -> Self {
        Self {
            bindings,
            paths,
            values: paths.iter().map(|_| OnceLock::new()).collect(),
            units: AtomicU64::new(MAX_UNITS),
            is_too_large: AtomicBool::new(false),
            session: Session::new(),
        }
    }

    /// The session of the functions.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The functions.
    pub(super) fn library(&self) -> &'v Library {
        self.bindings.library()
    }

    /// What a path leads to, or why it leads nowhere.
    pub(super) fn find(&self, position: usize) -> Result<Found<'v>, String> {
        match self.paths.get(position) {
            Some(path) => path.resolve(self.bindings),
            None => Err("a value does not fit".to_owned()),
        }
    }

    /// Refuses data beyond the limit that an expression has asked for.
    pub(super) fn check_size(&self) -> Result<(), Error> {
        if self.is_too_large.load(Ordering::Relaxed) {
            return Err(Error::TooLarge {
                what: "the data that the expressions use",
                limit_bytes: MAX_BYTES,
            });
        }
        Ok(())
    }

    fn load(&self, position: usize) -> Option<Box<dyn Val + 'v>> {
        let found = self.find(position).ok()?;
        let units = self.units.load(Ordering::Relaxed);
        let Some(left) = units.checked_sub(found.weight(units)) else {
            self.is_too_large.store(true, Ordering::Relaxed);
            return None;
        };
        self.units.store(left, Ordering::Relaxed);
        Some(found.to_cel())
    }
}

impl VariableResolver for Data<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable == SESSION {
            return Some(CowVal::Borrowed(&self.session));
        }
        let position = paths::position(variable)?;
        let value = self.values.get(position)?;
        let value = value.get_or_init(|| self.load(position)).as_deref();
        value.map(CowVal::Borrowed)
    }
}
