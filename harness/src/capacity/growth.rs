//! How a rate grows, as the command line takes it: `5%/month`.

use std::fmt;
use std::str::FromStr;

use crate::units::Share;

/// Growth by a constant share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    share: Share,
    per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Per {
    Month,
    Year,
}

impl Growth {
    /// The share by which it grows each month.
    pub fn monthly(self) -> f64 {
        match self.per {
            Per::Month => self.share.0,
            Per::Year => (self.share.0.ln_1p() / 12.0).exp_m1(),
        }
    }
}

impl FromStr for Growth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a growth like \"5%/month\" or \"80%/year\"");
        let (share, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = match per.trim() {
            "month" => Per::Month,
            "year" => Per::Year,
            _ => return Err(wrong()),
        };
        Ok(Self { share: share.parse().map_err(|_| wrong())?, per })
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Month => "month",
            Per::Year => "year",
        };
        write!(f, "{}/{per}", self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_by_the_month_or_by_the_year() {
        let growth = |text: &str| text.parse::<Growth>().unwrap();
        assert_eq!(growth("5%/month").monthly(), 0.05);
        assert!((growth("100%/year").monthly() - 0.059_463).abs() < 1e-6);
        assert_eq!(growth("0%/month").to_string(), "0%/month");
        for text in ["5%", "5/month", "5%/day", "-5%/month", "x%/year"] {
            assert!(text.parse::<Growth>().unwrap_err().contains("5%/month"), "{text}");
        }
    }
}
