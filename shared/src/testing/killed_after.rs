use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// A future that is dropped once it has been polled so often, as a process is that is killed.
pub struct KilledAfter<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

/// The output of the future, unless it is killed before it comes to one.
pub fn killed_after<F: Future>(polls: usize, future: F) -> KilledAfter<F> {
    let future = Box::pin(future);
    KilledAfter { future, polls }
}

impl<F: Future> Future for KilledAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}
