use super::{Admitted, Answer, MeteredLlm, dropped::Bill, meter::Meter};
use crate::{
    llm::{self, Usage},
    quota::Error,
};

/// A call that was admitted and is not booked. Dropped before that, it is left to whoever comes
/// next: nothing runs on behalf of a caller that has gone.
pub(super) struct Open {
    llm: MeteredLlm,
    /// None once it is booked or released.
    bill: Option<Bill>,
}

impl Open {
    pub(super) fn new(llm: MeteredLlm, admitted: Admitted, meter: Meter) -> Self {
        Self::of(llm, Bill::new(admitted, meter))
    }

    pub(super) fn of(llm: MeteredLlm, bill: Bill) -> Self {
        let bill = Some(bill);
        Self { llm, bill }
    }

    pub(super) fn bill(&mut self) -> Option<&mut Bill> {
        self.bill.as_mut()
    }

    /// Books an answer that came whole, or what is known of one that did not.
    pub(super) async fn end<T>(
        mut self,
        response: Result<T, llm::Error>,
        usage: impl FnOnce(&T) -> Usage,
    ) -> Result<Answer<T>, Error> {
        let response = match response {
            Ok(response) => response,
            Err(error) => return Err(self.fail(error).await),
        };
        if let Some(bill) = &mut self.bill {
            bill.meter.tell(usage(&response));
        }
        let cost_micro_usd = self.book().await?;
        Ok(Answer {
            response,
            cost_micro_usd,
            is_cached: false,
        })
    }

    /// Gives back what a call has reserved that was not worked on, and books any other by what is
    /// known. What cannot be booked now is left to the next caller.
    pub(super) async fn fail(&mut self, error: llm::Error) -> Error {
        let has_begun = self
            .bill
            .as_ref()
            .is_some_and(|bill| bill.meter.has_begun());
        if error.is_unused() && !has_begun {
            self.release().await;
            return error.into();
        }
        if let Some(bill) = &mut self.bill {
            bill.meter.break_off(error.used());
        }
        if let Err(failure) = self.book().await {
            let failure = &failure as &dyn std::error::Error;
            tracing::warn!(error = failure, "call left to be booked by the next");
        }
        error.into()
    }

    /// Books what was used, and tells what it cost. It stays open until that is durable.
    pub(super) async fn book(&mut self) -> Result<i64, Error> {
        let Some(bill) = &self.bill else {
            return Ok(0);
        };
        let booked = bill.admitted.book(&bill.meter.usage());
        let admission = &bill.admitted.admission;
        self.llm.admissions.settle(admission, &booked).await?;
        self.bill = None;
        Ok(booked.cost_micro_usd)
    }

    /// Books a call whose caller has gone. One that cannot be booked is not tried again.
    pub(super) async fn book_last(mut self) {
        let Err(error) = self.book().await else {
            return;
        };
        if let Some(bill) = self.bill.take() {
            let error = &error as &dyn std::error::Error;
            let id = &bill.admitted.admission.entry().id;
            tracing::warn!(usage.id = %id, error, "call left to the sweeper");
        }
    }

    async fn release(&mut self) {
        let Some(bill) = self.bill.take() else {
            return;
        };
        let admission = &bill.admitted.admission;
        if let Err(error) = self.llm.admissions.release(admission).await {
            let error = &error as &dyn std::error::Error;
            let org_id = &admission.entry().org_id;
            tracing::warn!(org.id = %org_id, error, "reservation left to expire");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(bill) = self.bill.take() {
            self.llm.dropped.push(bill);
        }
    }
}
