//! Numbers: what is calculated in `$((...))`, with the operators of C on integers of 64 bits.
//!
//! From loose to tight: `= += -= *= /= %= <<= >>= &= ^= |=`, `?:`, `||`, `&&`, `|`, `^`, `&`, `== !=`, `< <= > >=`, `<< >>`, `+ -`,
//! `* / %`, and before an operand `! ~ + -`. Constants are decimal, `0x...`, or octal as `0...`; a name is the value of a variable, and
//! 0 if that has none. What does not fit in 64 bits is an error, and so is a division by zero.

mod lexer;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::fmt;

use lexer::{Lexer, Token};

/// How deep expressions can lie within each other.
const DEPTH_MAX: usize = 64;

/// The variables that names mean.
pub trait Names {
    /// The value of one.
    fn get(&self, name: &str) -> Option<String>;
    /// Sets one; whether there was room.
    fn set(&mut self, name: &str, value: &str) -> bool;
}

/// Why something cannot be calculated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArithmeticError {
    /// The result, or a constant, does not fit in 64 bits.
    Overflow,
    /// A division by zero.
    ZeroDivision,
    /// A shift by less than 0 or more than 63.
    BadShift,
    /// This is not expected.
    Unexpected(String),
    /// An operand is missing at the end.
    NoOperand,
    /// Something is assigned to what is no variable.
    NoVariable,
    /// The value of a variable is no number.
    NoNumber {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// The variables have no room for this one.
    NoRoom(String),
    /// Too many expressions lie within each other.
    TooDeep,
}

impl fmt::Display for ArithmeticError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow => f.write_str("a number does not fit in 64 bits"),
            Self::ZeroDivision => f.write_str("a division by zero"),
            Self::BadShift => f.write_str("a shift by less than 0 or more than 63"),
            Self::Unexpected(what) => write!(f, "'{what}' has no meaning here"),
            Self::NoOperand => f.write_str("an operand is missing"),
            Self::NoVariable => f.write_str("only a variable can be set"),
            Self::NoNumber { name, value } => write!(f, "{name} is '{value}', which is no number"),
            Self::NoRoom(name) => write!(f, "{name}: the variables have no room for it"),
            Self::TooDeep => write!(f, "more than {DEPTH_MAX} expressions within each other"),
        }
    }
}

impl core::error::Error for ArithmeticError {}

type Result<T> = core::result::Result<T, ArithmeticError>;

/// Calculates.
///
/// # Errors
/// Why that cannot be done.
pub fn calculate(text: &str, names: &mut dyn Names) -> Result<i64> {
    let mut calculator = Calculator {
        lexer: Lexer::new(text)?,
        names,
        depth: 0,
        is_skipped: false,
    };
    // Nothing at all is 0.
    if calculator.lexer.token == Token::End {
        return Ok(0);
    }
    let value = calculator.assignment()?;
    match calculator.lexer.token {
        Token::End => calculator.number(value),
        _ => Err(calculator.lexer.unexpected()),
    }
}

/// A number as it is written, with a sign.
pub fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = lexer::magnitude(digits)?;
    match is_negative {
        true => 0_i64.checked_sub_unsigned(magnitude),
        false => i64::try_from(magnitude).ok(),
    }
}

/// What an operand is.
#[derive(Clone, Debug)]
enum Value {
    Number(i64),
    /// A constant, which may be one more than there is unless its sign is turned.
    Constant(u64),
    /// A variable.
    Name(String),
}

struct Calculator<'a> {
    lexer: Lexer<'a>,
    names: &'a mut dyn Names,
    depth: usize,
    /// What is read has no effect, and no value: the other side of `&&`, `||` or `?:` is right.
    is_skipped: bool,
}

/// The operators between two operands, from loose to tight.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", "<=", ">", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Calculator<'_> {
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(ArithmeticError::TooDeep);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads something that has no effect if that is said.
    fn skipped<T>(&mut self, skip: bool, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.is_skipped;
        self.is_skipped |= skip;
        let result = read(self);
        self.is_skipped = before;
        result
    }

    /// The number that an operand is.
    fn number(&self, value: Value) -> Result<i64> {
        match value {
            _ if self.is_skipped => Ok(0),
            Value::Number(number) => Ok(number),
            Value::Constant(constant) => {
                i64::try_from(constant).map_err(|_| ArithmeticError::Overflow)
            }
            Value::Name(name) => {
                let value = self.names.get(&name).unwrap_or_default();
                if value.trim().is_empty() {
                    return Ok(0);
                }
                number(&value).ok_or(ArithmeticError::NoNumber { name, value })
            }
        }
    }

    fn assignment(&mut self) -> Result<Value> {
        let target = self.conditional()?;
        let Token::Operator(operator) = self.lexer.token else {
            return Ok(target);
        };
        // `==` and the like are no assignments, but were read already.
        let Some(operation) = operator.strip_suffix('=') else {
            return Ok(target);
        };
        let Value::Name(name) = target else {
            return Err(ArithmeticError::NoVariable);
        };
        self.lexer.advance()?;
        let right = self.within(Self::assignment)?;
        let right = self.number(right)?;
        let result = match operation {
            "" => right,
            operation => {
                let left = self.number(Value::Name(name.clone()))?;
                self.apply(operation, left, right)?
            }
        };
        if !self.is_skipped && !self.names.set(&name, &alloc::format!("{result}")) {
            return Err(ArithmeticError::NoRoom(name));
        }
        Ok(Value::Number(result))
    }

    fn conditional(&mut self) -> Result<Value> {
        let condition = self.binary(LEVELS)?;
        if !self.lexer.eat("?")? {
            return Ok(condition);
        }
        let is_met = self.number(condition)? != 0;
        let first = self.skipped(!is_met, |one| {
            let value = one.within(Self::assignment)?;
            one.number(value)
        })?;
        if !self.lexer.eat(":")? {
            return Err(self.lexer.unexpected());
        }
        let second = self.skipped(is_met, |one| {
            let value = one.within(Self::conditional)?;
            one.number(value)
        })?;
        Ok(Value::Number(if is_met { first } else { second }))
    }

    /// Operands with operators of these levels between them.
    fn binary(&mut self, levels: &[&[&str]]) -> Result<Value> {
        let Some((operators, tighter)) = levels.split_first() else {
            return self.operand();
        };
        let mut left = self.binary(tighter)?;
        while let Token::Operator(operator) = self.lexer.token
            && operators.contains(&operator)
        {
            self.lexer.advance()?;
            let first = self.number(left)?;
            let skip = match operator {
                "||" => first != 0,
                "&&" => first == 0,
                _ => false,
            };
            let second = self.skipped(skip, |one| {
                let value = one.binary(tighter)?;
                one.number(value)
            })?;
            left = Value::Number(self.apply(operator, first, second)?);
        }
        Ok(left)
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Result<i64> {
        if self.is_skipped {
            return Ok(0);
        }
        let shift = || {
            let count = u32::try_from(right).ok().filter(|count| *count < 64);
            count.ok_or(ArithmeticError::BadShift)
        };
        let result = match operator {
            "||" => Some(i64::from(left != 0 || right != 0)),
            "&&" => Some(i64::from(left != 0 && right != 0)),
            "|" => Some(left | right),
            "^" => Some(left ^ right),
            "&" => Some(left & right),
            "==" => Some(i64::from(left == right)),
            "!=" => Some(i64::from(left != right)),
            "<" => Some(i64::from(left < right)),
            "<=" => Some(i64::from(left <= right)),
            ">" => Some(i64::from(left > right)),
            ">=" => Some(i64::from(left >= right)),
            "<<" => {
                let count = shift()?;
                // As a multiplication: what would be lost is an error.
                i64::try_from(i128::from(left) << count).ok()
            }
            ">>" => Some(left >> shift()?),
            "+" => left.checked_add(right),
            "-" => left.checked_sub(right),
            "*" => left.checked_mul(right),
            "/" | "%" if right == 0 => return Err(ArithmeticError::ZeroDivision),
            "/" => left.checked_div(right),
            "%" => left.checked_rem(right),
            other => return Err(ArithmeticError::Unexpected(other.into())),
        };
        result.ok_or(ArithmeticError::Overflow)
    }

    fn operand(&mut self) -> Result<Value> {
        match self.lexer.token {
            Token::Constant(constant) => {
                self.lexer.advance()?;
                Ok(Value::Constant(constant))
            }
            Token::Name(name) => {
                let name = String::from(name);
                self.lexer.advance()?;
                Ok(Value::Name(name))
            }
            Token::Operator(sign @ ("!" | "~" | "+" | "-")) => {
                self.lexer.advance()?;
                let value = self.within(Self::operand)?;
                if let (Value::Constant(constant), "-") = (&value, sign) {
                    let negative = 0_i64.checked_sub_unsigned(*constant);
                    return negative.map(Value::Number).ok_or(ArithmeticError::Overflow);
                }
                let number = self.number(value)?;
                let result = match sign {
                    "!" => Some(i64::from(number == 0)),
                    "~" => Some(!number),
                    "-" => number.checked_neg(),
                    _ => Some(number),
                };
                result.map(Value::Number).ok_or(ArithmeticError::Overflow)
            }
            Token::Operator("(") => {
                self.lexer.advance()?;
                let value = self.within(Self::assignment)?;
                if !self.lexer.eat(")")? {
                    return Err(self.lexer.unexpected());
                }
                self.number(value).map(Value::Number)
            }
            _ => Err(self.lexer.unexpected()),
        }
    }
}
