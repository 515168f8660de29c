use cel::{
    ExecutionError,
    common::types::{CelInt, CelString, CelTimestamp},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Time},
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};

use super::{Call, Made};

const MAX_FORMAT_BYTES: usize = 256;

const DAY_SECS: i64 = 24 * 60 * 60;

/// A calendar costs more than a step of the evaluator.
const UNITS: u64 = 20;

/// As <https://docs.rs/jiff/0.2/jiff/fmt/strtime/index.html> has it.
pub(super) fn format_time<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    call.session.meter.spend(UNITS)?;
    let time = time(call)?.to_zoned(zone(call)?);
    let text = strtime::format(format(call)?, &time);
    call.result(text.map_err(|_| call.error("the format is malformed"))?)
}

/// What the text leaves out is midnight, and the time zone where it names none.
pub(super) fn parse_time<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    call.session.meter.spend(UNITS)?;
    let parsed = strtime::parse(format(call)?, call.text(0)?);
    let parsed = parsed.map_err(|_| call.error("the text does not have the format"))?;
    if let Ok(time) = parsed.to_timestamp() {
        return made(time);
    }
    let local = local(&parsed).ok_or_else(|| call.error("the text has no date"))?;
    let time = zone(call)?.to_timestamp(local);
    made(time.map_err(|_| out_of_range(call))?)
}

pub(super) fn add_days<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    call.session.meter.spend(UNITS)?;
    let seconds = call.integer(1)?.checked_mul(DAY_SECS);
    let time = time(call)?;
    let later =
        seconds.and_then(|seconds| time.checked_add(SignedDuration::from_secs(seconds)).ok());
    made(later.ok_or_else(|| out_of_range(call))?)
}

pub(super) fn epoch_seconds<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(Box::new(CelInt::from(time(call)?.as_second())))
}

pub(super) fn from_epoch_seconds<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    made(Timestamp::from_second(call.integer(0)?).map_err(|_| out_of_range(call))?)
}

fn made<'v>(time: Timestamp) -> Made<'v> {
    Ok(Box::new(CelString::from(time.to_string())))
}

/// The first operand: RFC 3339 text or a timestamp.
fn time(call: &Call<'_, '_>) -> Result<Timestamp, ExecutionError> {
    let time = match call.value(0)?.downcast_ref::<CelTimestamp>() {
        Some(time) => {
            let nanoseconds = i32::try_from(time.inner().timestamp_subsec_nanos());
            let nanoseconds = nanoseconds.map_err(|_| out_of_range(call))?;
            Timestamp::new(time.inner().timestamp(), nanoseconds)
        }
        None => call.text(0)?.parse(),
    };
    time.map_err(|_| call.error("needs a time like 2025-06-01T12:00:00Z"))
}

/// The second operand.
fn format<'c>(call: &Call<'c, '_>) -> Result<&'c str, ExecutionError> {
    let format = call.text(1)?;
    if format.len() > MAX_FORMAT_BYTES {
        return Err(call.error("the format is longer than 256 bytes"));
    }
    Ok(format)
}

/// The third operand, UTC without it.
fn zone(call: &Call<'_, '_>) -> Result<TimeZone, ExecutionError> {
    if !call.has(2) {
        return Ok(TimeZone::UTC);
    }
    let zone = TimeZone::get(call.text(2)?);
    zone.map_err(|_| call.error("the time zone is unknown"))
}

fn local(parsed: &BrokenDownTime) -> Option<DateTime> {
    let time = parsed.to_time().unwrap_or(Time::midnight());
    Some(parsed.to_date().ok()?.to_datetime(time))
}

fn out_of_range(call: &Call<'_, '_>) -> ExecutionError {
    call.error("the time is out of range")
}
