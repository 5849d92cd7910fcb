//! How long a capacity lasts.

/// The time until a rate that grows by a constant share each month reaches a capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeadRoom {
    /// It is above the capacity already.
    Exceeded,
    /// In this many months.
    Months(f64),
    /// Never: it does not grow.
    Endless,
}

/// The months until `now`, which grows by `growth` (0.05: 5 %) each month, reaches `capacity`: ln(capacity / now) / ln(1 + growth).
pub fn head_room(capacity: f64, now: f64, growth: f64) -> HeadRoom {
    if now > capacity {
        HeadRoom::Exceeded
    } else if growth <= 0.0 || now <= 0.0 {
        HeadRoom::Endless
    } else {
        HeadRoom::Months((capacity / now).ln() / growth.ln_1p())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_doubles_each_month_reaches_eight_times_its_size_in_three() {
        assert_eq!(head_room(8_000.0, 1_000.0, 1.0), HeadRoom::Months(3.0));
        let HeadRoom::Months(months) = head_room(21_400.0, 3_000.0, 0.05) else { panic!() };
        assert!((months - 40.27).abs() < 0.01, "{months}");
    }

    #[test]
    fn what_is_too_much_today_and_what_never_grows_have_no_date() {
        assert_eq!(head_room(900.0, 1_000.0, 0.05), HeadRoom::Exceeded);
        assert_eq!(head_room(9_000.0, 1_000.0, 0.0), HeadRoom::Endless);
        assert_eq!(head_room(1_000.0, 1_000.0, 0.05), HeadRoom::Months(0.0));
    }
}
