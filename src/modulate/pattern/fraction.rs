//! Exact fractions for the time of patterns: thirds of a cycle add up to a cycle.

use std::cmp::Ordering;

/// A reduced fraction of 64-bit numbers, the denominator above 0. Arithmetic gives `None` when a part overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    num: i64,
    den: i64,
}

impl Fraction {
    pub const ZERO: Fraction = Fraction { num: 0, den: 1 };
    pub const ONE: Fraction = Fraction { num: 1, den: 1 };

    /// `None` for a denominator of 0, and when a part overflows.
    pub fn new(num: i128, den: i128) -> Option<Fraction> {
        if den == 0 {
            return None;
        }
        let (num, den) = if den < 0 { (-num, -den) } else { (num, den) };
        let divisor = gcd(num.unsigned_abs(), den.unsigned_abs()).max(1) as i128;
        Some(Fraction { num: (num / divisor).try_into().ok()?, den: (den / divisor).try_into().ok()? })
    }

    pub fn whole(num: i64) -> Fraction {
        Fraction { num, den: 1 }
    }

    /// Reads `3`, `-1` or `1.5`, exactly.
    pub fn parse(text: &str) -> Option<Fraction> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 9 {
            return None;
        }
        let digits: i128 = format!("{whole}{decimals}").parse().ok()?;
        Fraction::new(digits, 10i128.pow(decimals.len() as u32))
    }

    pub fn plus(self, other: Fraction) -> Option<Fraction> {
        let [a, b, c, d] = self.with(other);
        Fraction::new(a * d + c * b, b * d)
    }

    pub fn minus(self, other: Fraction) -> Option<Fraction> {
        let [a, b, c, d] = self.with(other);
        Fraction::new(a * d - c * b, b * d)
    }

    pub fn times(self, other: Fraction) -> Option<Fraction> {
        let [a, b, c, d] = self.with(other);
        Fraction::new(a * c, b * d)
    }

    pub fn over(self, other: Fraction) -> Option<Fraction> {
        let [a, b, c, d] = self.with(other);
        Fraction::new(a * d, b * c)
    }

    pub fn floor(self) -> i64 {
        self.num.div_euclid(self.den)
    }

    pub fn is_positive(self) -> bool {
        self.num > 0
    }

    pub fn to_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }

    fn with(self, other: Fraction) -> [i128; 4] {
        [self.num, self.den, other.num, other.den].map(i128::from)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let [a, b, c, d] = self.with(*other);
        (a * d).cmp(&(c * b))
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_and_never_overflow_silently() {
        let third = Fraction::new(1, 3).unwrap();
        assert_eq!(third.plus(third).and_then(|x| x.plus(third)), Some(Fraction::ONE));
        assert_eq!(Fraction::parse("1.50"), Fraction::new(3, 2));
        assert_eq!(Fraction::parse("-0.25"), Fraction::new(-1, 4));
        assert_eq!(Fraction::parse("x"), None);
        assert_eq!(Fraction::new(-1, 4).map(Fraction::floor), Some(-1));
        assert!(third < Fraction::new(1, 2).unwrap());
        assert_eq!(Fraction::whole(i64::MAX).times(Fraction::whole(2)), None);
        assert_eq!(third.over(Fraction::ZERO), None);
    }
}
