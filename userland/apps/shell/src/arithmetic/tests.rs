use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Variables(BTreeMap<String, String>);

impl Names for Variables {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        self.0.insert(name.into(), value.into());
        true
    }
}

fn of(text: &str) -> Result<i64> {
    let mut variables = Variables::default();
    for (name, value) in [("x", "7"), ("y", "-0x10"), ("word", "a b"), ("empty", "")] {
        variables.set(name, value);
    }
    calculate(text, &mut variables)
}

#[test]
fn operators_bind_as_in_c() {
    let cases = [
        ("", 0),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 - -3", 1),
        ("10 / 3 * 3 + 10 % 3", 10),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("1 << 4 + 1", 32),
        ("-8 >> 1", -4),
        ("1 | 6 ^ 2 & 3", 5),
        ("3 < 4 == 1", 1),
        ("!0 + !5 + ~0", 0),
        ("1 ? 2 : 0 ? 3 : 4", 2),
        ("0 ? 2 : 0 ? 3 : 4", 4),
        ("0x1F + 010 + 9", 48),
        ("x + y", -9),
        ("nothing + empty + 1", 1),
        ("z = x += 2", 9),
        ("x <<= 2", 28),
        ("x == 7 && y != 7", 1),
        ("0 && 1 / 0", 0),
        ("1 || (x = 1 / 0)", 1),
        ("1 ? 5 : 1 / 0", 5),
        ("-9223372036854775808", i64::MIN),
        ("9223372036854775807", i64::MAX),
    ];
    for (text, expected) in cases {
        assert_eq!(of(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_calculated_is_told() {
    use ArithmeticError::{
        BadShift, NoNumber, NoOperand, NoVariable, Overflow, TooDeep, Unexpected, ZeroDivision,
    };
    let max = "9223372036854775807";
    let cases = [
        (format!("{max} + 1"), Overflow),
        (format!("-{max} - 2"), Overflow),
        (format!("{max} * 2"), Overflow),
        ("9223372036854775808".into(), Overflow),
        ("-9223372036854775809".into(), Overflow),
        ("-9223372036854775808 / -1".into(), Overflow),
        ("-9223372036854775808 % -1".into(), Overflow),
        ("- -9223372036854775808".into(), Overflow),
        ("1 << 63".into(), Overflow),
        ("99999999999999999999".into(), Overflow),
        ("1 / 0".into(), ZeroDivision),
        ("1 % (x - 7)".into(), ZeroDivision),
        ("1 << 64".into(), BadShift),
        ("1 >> -1".into(), BadShift),
        ("1 +".into(), NoOperand),
        ("(1".into(), NoOperand),
        ("1 ? 2".into(), NoOperand),
        ("1 2".into(), Unexpected("2".into())),
        ("1 = 2".into(), NoVariable),
        ("x + 1 = 2".into(), NoVariable),
        ("x = 3, ".into(), Unexpected(",".into())),
        ("09".into(), Unexpected("09".into())),
        ("0x".into(), Unexpected("0x".into())),
        ("1a".into(), Unexpected("1a".into())),
        ("\"1\"".into(), Unexpected("\"".into())),
        ("(".repeat(100_000), TooDeep),
        ("!".repeat(100_000), TooDeep),
        ("x=".repeat(100_000), TooDeep),
        ("1?".repeat(100_000), TooDeep),
        ("1?1:".repeat(100_000), TooDeep),
    ];
    for (text, expected) in cases {
        let short: String = text.chars().take(20).collect();
        assert_eq!(of(&text), Err(expected), "{short}");
    }
    let no_number = NoNumber {
        name: "word".into(),
        value: "a b".into(),
    };
    assert_eq!(of("word"), Err(no_number));
}

/// An expression, and what it is in another way of calculating: `None` for an error.
#[derive(Clone, Debug)]
struct Sample {
    text: String,
    value: Option<i128>,
}

/// Only what fits.
fn fits(value: i128) -> Option<i128> {
    i64::try_from(value).ok().map(i128::from)
}

fn sample() -> impl Strategy<Value = Sample> {
    let constant = prop_oneof![0..20_i64, 0..=i64::MAX].prop_map(|value| Sample {
        text: value.to_string(),
        value: Some(value.into()),
    });
    constant.prop_recursive(6, 60, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=",
        ]);
        let negated = inner.clone().prop_map(|one| Sample {
            text: format!("(-({}))", one.text),
            value: one.value.and_then(|value| fits(-value)),
        });
        let inverted = inner.clone().prop_map(|one| Sample {
            text: format!("(~{})", one.text),
            value: one.value.map(|value| -value - 1),
        });
        let both = (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| {
            let text = format!("({} {operator} {})", left.text, right.text);
            let value = left.value.zip(right.value).and_then(|(left, right)| {
                let shift = || u32::try_from(right).ok().filter(|count| *count < 64);
                match operator {
                    "+" => fits(left + right),
                    "-" => fits(left - right),
                    "*" => left.checked_mul(right).and_then(fits),
                    "/" if right == 0 => None,
                    "/" => fits(left / right),
                    "%" if right == 0 || fits(left / right).is_none() => None,
                    "%" => fits(left % right),
                    "<<" => fits(left.checked_mul(1_i128 << shift()?)?),
                    ">>" => Some(left.div_euclid(1_i128 << shift()?)),
                    "&" => Some(left & right),
                    "|" => Some(left | right),
                    "^" => Some(left ^ right),
                    "<" => Some((left < right).into()),
                    "<=" => Some((left <= right).into()),
                    ">" => Some((left > right).into()),
                    ">=" => Some((left >= right).into()),
                    "==" => Some((left == right).into()),
                    _ => Some((left != right).into()),
                }
            });
            Sample { text, value }
        });
        let choice =
            (inner.clone(), inner.clone(), inner).prop_map(|(condition, first, second)| Sample {
                text: format!("({} ? {} : {})", condition.text, first.text, second.text),
                value: condition.value.and_then(|condition| match condition {
                    0 => second.value,
                    _ => first.value,
                }),
            });
        prop_oneof![1 => negated, 1 => inverted, 6 => both, 1 => choice]
    })
}

proptest! {
    #[test]
    fn results_are_those_of_the_model(sample in sample()) {
        let value = of(&sample.text).ok().map(i128::from);
        prop_assert_eq!(value, sample.value, "{}", sample.text);
    }

    #[test]
    fn any_text_is_calculated_or_refused(text in any::<String>(), other in "[0-9x()+*/%<>=!&|?:~^ -]{0,30}") {
        for text in [text, other] {
            if let Err(error) = of(&text) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written(value in any::<i64>()) {
        prop_assert_eq!(number(&value.to_string()), Some(value));
        prop_assert_eq!(of(&value.to_string()), Ok(value));
    }
}
