//! Custom targets: a value, or a function that builds one once the drill has its Redis.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::driver::Driver;
use super::kind::Kind;
use super::registry::TargetKind;
use super::site::Site;
use crate::history::OpKind;
use crate::target::{Ability, BuildError, Target};

/// The name of custom targets in reports and messages; no scenario can use it.
const NAME: &str = "own";

/// Builds a custom target.
#[async_trait]
pub trait Factory: Send + Sync {
    /// Builds the target.
    ///
    /// # Errors
    /// Why it could not be built.
    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError>;

    /// Builds another target that remembers nothing of the first; `None` if there is only the one.
    ///
    /// # Errors
    /// Why it could not be built.
    async fn rebuild(&self, site: Site) -> Result<Option<Arc<dyn Driver>>, BuildError>;
}

/// The argument of [`Drill::target`](crate::Drill::target): a [`Target`], or a function from a [`Site`] to a future of
/// one. `Form` distinguishes the two and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a `firedrill::Target` nor a function that makes one",
    note = "a function takes a `firedrill::Site` and returns a future of `Result<impl Target, impl Into<BuildError>>`"
)]
pub trait IntoTarget<Form> {
    /// Everything that validation needs to know about it.
    fn kind() -> TargetKind;

    /// The factory that builds it.
    fn into_factory(self) -> Arc<dyn Factory>;
}

/// A target that already exists.
pub struct ByValue;

/// A function that builds a target.
pub struct ByFunction<T, E, Fut>(PhantomData<(T, E, Fut)>);

impl<T: Target> IntoTarget<ByValue> for T {
    fn kind() -> TargetKind {
        own::<T>()
    }

    fn into_factory(self) -> Arc<dyn Factory> {
        Arc::new(Value(Arc::new(self)))
    }
}

impl<F, Fut, T, E> IntoTarget<ByFunction<T, E, Fut>> for F
where
    F: Fn(Site) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Target,
    E: Into<BuildError>,
{
    fn kind() -> TargetKind {
        own::<T>()
    }

    fn into_factory(self) -> Arc<dyn Factory> {
        Arc::new(Function(self))
    }
}

struct Value(Arc<dyn Driver>);

#[async_trait]
impl Factory for Value {
    async fn build(&self, _: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(self.0.clone())
    }

    async fn rebuild(&self, _: Site) -> Result<Option<Arc<dyn Driver>>, BuildError> {
        Ok(None)
    }
}

struct Function<F>(F);

#[async_trait]
impl<F, Fut, T, E> Factory for Function<F>
where
    F: Fn(Site) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Target,
    E: Into<BuildError>,
{
    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        match (self.0)(site).await {
            Ok(target) => Ok(Arc::new(target)),
            Err(error) => Err(error.into()),
        }
    }

    async fn rebuild(&self, site: Site) -> Result<Option<Arc<dyn Driver>>, BuildError> {
        Ok(Some(self.build(site).await?))
    }
}

/// The target kind for a custom target of type `T`.
fn own<T: Target>() -> TargetKind {
    TargetKind::new(const { &OwnKind::<T>(PhantomData) as &'static dyn Kind })
}

struct OwnKind<T>(PhantomData<fn() -> T>);

#[async_trait]
impl<T: Target> Kind for OwnKind<T> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "A target that the program brings which runs the drill."
    }

    fn sockets(&self, _lanes: u32) -> u64 {
        super::FEW_SOCKETS
    }

    fn operations(&self) -> &'static [OpKind] {
        T::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        T::ABILITIES
    }

    async fn build(&self, _: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Err("the program that brings this target must build it".into())
    }
}
