use std::{cmp::Ordering, iter::Sum};

use cel::common::{
    types::{CelDouble, CelInt, CelUInt},
    value::Val,
};

use super::{Call, Made};

/// A double has no more significant digits.
const MAX_DIGITS: i64 = 15;

/// Of the three kinds of numbers the evaluator has, integers stay exact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    /// The number that a value is.
    pub(super) fn of(value: &dyn Val) -> Option<Self> {
        if let Some(number) = value.downcast_ref::<CelInt>() {
            Some(Self::Whole(i128::from(*number.inner())))
        } else if let Some(number) = value.downcast_ref::<CelUInt>() {
            Some(Self::Whole(i128::from(*number.inner())))
        } else {
            let number = value.downcast_ref::<CelDouble>()?;
            Some(Self::Fraction(*number.inner()))
        }
    }

    /// A total order: that of the doubles where one of the two is one.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            _ => self.as_double().total_cmp(&other.as_double()),
        }
    }

    /// The number as the result of a call.
    pub(super) fn into_value<'v>(self, call: &Call<'_, 'v>) -> Made<'v> {
        match self {
            Self::Fraction(number) => Ok(Box::new(CelDouble::from(number))),
            Self::Whole(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => Ok(Box::new(CelInt::from(number))),
                (_, Ok(number)) => Ok(Box::new(CelUInt::from(number))),
                _ => Err(call.error("the result is too large")),
            },
        }
    }

    fn as_double(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Fraction(number) => number,
        }
    }
}

impl Sum for Number {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::Whole(0), |sum, number| match (sum, number) {
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a.saturating_add(b)),
            _ => Self::Fraction(sum.as_double() + number.as_double()),
        })
    }
}

pub(super) fn abs<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let absolute = match number(call)? {
        Number::Whole(number) => Number::Whole(number.abs()),
        Number::Fraction(number) => Number::Fraction(number.abs()),
    };
    absolute.into_value(call)
}

pub(super) fn ceil<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    whole(call, f64::ceil)
}

pub(super) fn floor<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    whole(call, f64::floor)
}

/// Halves go away from zero.
pub(super) fn round<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    if !call.has(1) {
        return whole(call, f64::round);
    }
    let digits = call.integer(1)?;
    let Some(digits) = i32::try_from(digits)
        .ok()
        .filter(|_| (0..=MAX_DIGITS).contains(&digits))
    else {
        return Err(call.error("needs 0 to 15 digits"));
    };
    let rounded = match number(call)? {
        Number::Fraction(number) => {
            let scale = 10_f64.powi(digits);
            let scaled = (number * scale).round() / scale;
            Number::Fraction(if scaled.is_finite() { scaled } else { number })
        }
        whole => whole,
    };
    rounded.into_value(call)
}

fn whole<'v>(call: &Call<'_, 'v>, round: fn(f64) -> f64) -> Made<'v> {
    let number = match number(call)? {
        Number::Fraction(number) if number.is_finite() => Number::Whole(round(number) as i128),
        Number::Fraction(_) => return Err(call.error("needs a finite number")),
        whole => whole,
    };
    number.into_value(call)
}

fn number(call: &Call<'_, '_>) -> Result<Number, cel::ExecutionError> {
    Number::of(call.value(0)?).ok_or_else(|| call.error("needs a number"))
}
