use std::{fmt, io, sync::Arc};

use cel::{Context, DeclarationError, Env};

use super::{Error, functions};

/// The functions that expressions may call, set up once for a run.
pub(super) struct Library {
    context: Result<Context<'static, 'static>, DeclarationError>,
}

impl Library {
    /// The functions of [`functions`].
    pub(super) fn new() -> Self {
        let env = Env::default().with_optional_support(false).with_stdlib();
        let mut context = Context::with_env(Arc::new(env));
        let installed = functions::install(&mut context);
        Self {
            context: installed.map(|()| context),
        }
    }

    /// The context that evaluations build on.
    pub(super) fn context<'r>(&'r self) -> Result<&'r Context<'r, 'r>, Error> {
        let context = self.context.as_ref();
        context.map_err(|error| Error::Evaluator(io::Error::other(error.clone())))
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Library").finish_non_exhaustive()
    }
}
