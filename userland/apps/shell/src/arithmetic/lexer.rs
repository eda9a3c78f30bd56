//! From text to constants, names and operators.

use super::{ArithmeticError, Result};

/// A piece of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    Constant(u64),
    Name(&'a str),
    Operator(&'static str),
    End,
}

/// All operators, longer ones before those that they begin with.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=",
    "&=", "^=", "|=", "=", "<", ">", "!", "~", "+", "-", "*", "/", "%", "&", "^", "|", "?", ":",
    "(", ")",
];

/// Where an expression is being read.
pub struct Lexer<'a> {
    rest: &'a str,
    /// What is next.
    pub token: Token<'a>,
}

/// The value of digits: decimal, hexadecimal behind `0x`, octal behind `0`. At most one more than the greatest number.
pub fn magnitude(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    (magnitude <= 1 << 63).then_some(magnitude)
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Result<Self> {
        let mut lexer = Self {
            rest: text,
            token: Token::End,
        };
        lexer.advance()?;
        Ok(lexer)
    }

    /// Goes on to the next piece.
    pub fn advance(&mut self) -> Result<()> {
        self.rest = self.rest.trim_start();
        let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let len = self
            .rest
            .bytes()
            .take_while(|byte| is_of_word(*byte))
            .count();
        let (word, behind) = self.rest.split_at(len);
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            self.token = match magnitude(word) {
                Some(value) => Token::Constant(value),
                None if digits && !word.starts_with('0') => return Err(ArithmeticError::Overflow),
                None => return Err(ArithmeticError::Unexpected(word.into())),
            };
            self.rest = behind;
        } else if !word.is_empty() {
            self.token = Token::Name(word);
            self.rest = behind;
        } else if self.rest.is_empty() {
            self.token = Token::End;
        } else {
            let mut operators = OPERATORS.iter();
            let found = operators.find_map(|operator| {
                let behind = self.rest.strip_prefix(operator)?;
                Some((operator, behind))
            });
            let Some((operator, behind)) = found else {
                let first = self.rest.chars().next().map(alloc::string::String::from);
                return Err(ArithmeticError::Unexpected(first.unwrap_or_default()));
            };
            self.token = Token::Operator(operator);
            self.rest = behind;
        }
        Ok(())
    }

    /// Goes behind an operator, if it is next; whether it is.
    pub fn eat(&mut self, operator: &str) -> Result<bool> {
        let is_next = self.token
            == Token::Operator(
                OPERATORS
                    .iter()
                    .find(|one| **one == operator)
                    .copied()
                    .unwrap_or_default(),
            );
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    /// What is next has no meaning here.
    pub fn unexpected(&self) -> ArithmeticError {
        match self.token {
            Token::Constant(constant) => ArithmeticError::Unexpected(alloc::format!("{constant}")),
            Token::Name(name) => ArithmeticError::Unexpected(name.into()),
            Token::Operator(operator) => ArithmeticError::Unexpected(operator.into()),
            Token::End => ArithmeticError::NoOperand,
        }
    }
}
